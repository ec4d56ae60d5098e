"""The clock between a written score and the recording that it was written from.

Positions are in beats of the performance, times in seconds of the recording. The clock is piecewise
linear and strictly increasing, so that it runs both ways: a cursor finds the position that sounds,
a click on the page the moment at which it sounds.

The beats of the performance give its shape, and the onsets of the written notes correct it: at the
position of an attack the clock shows when the attack was heard. Between two attacks it runs as the
beats do, faster or slower by one factor; before the first and after the last it runs with the
beats. Musicians do not strike the notes of one position at once (a hand leads, a chord is rolled,
a voice is late), so an attack is heard at the median of its onsets. Where onsets are out of order,
as when an ornament is written as a rhythm, the clock takes their weighted mean: isotonic regression
by pooling adjacent violators, Ayer et al., "An empirical distribution function for sampling with
incomplete information" (Annals of Mathematical Statistics 26:4, 1955).

Measured with ``python -m tests.bench --only practice``: half of the notes are within 3 ms of the
clock, and 90 % within 17 ms, in songs; sung and piano solos are closer. The beats alone would be
10 ms and 40 ms off.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from statistics import median
from typing import Final

from inference_service.music.time import BeatGrid

SLOWEST: Final = 0.05
"""Least time between two attacks, as a share of the time between their places on the beats."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A piecewise linear map between positions and times, both strictly increasing.

    Beyond the points, it goes on as in the first and last interval.

    Attributes
    ----------
    positions : tuple of float
        In beats or quarters; at least two.
    times_s : tuple of float
        In seconds of the recording; negative before it begins.
    """

    positions: tuple[float, ...]
    times_s: tuple[float, ...]

    def to_seconds(self, position: float) -> float:
        """Return when a position is heard."""
        return _interpolate(position, self.positions, self.times_s)

    def to_position(self, time_s: float) -> float:
        """Return the position that is heard at a time."""
        return _interpolate(time_s, self.times_s, self.positions)


def _interpolate(value: float, known: Sequence[float], wanted: Sequence[float]) -> float:
    index = min(max(bisect_right(known, value) - 1, 0), len(known) - 2)
    share = (value - known[index]) / (known[index + 1] - known[index])
    return wanted[index] + share * (wanted[index + 1] - wanted[index])


def fit_clock(
    onsets: Iterable[tuple[Fraction, float]], grid: BeatGrid, start: Fraction, stop: Fraction
) -> Clock:
    """Return the clock of a score, in beats of the performance.

    Parameters
    ----------
    onsets : iterable of (Fraction, float)
        Position of each written note, and when it was heard. There may be none.
    grid : BeatGrid
    start, stop : Fraction
        Positions of the first and the last bar line; the clock has points there, and between them
        at every attack and every beat.
    """
    attacks = _pool(_find_attacks(onsets), grid)
    places = {float(start), float(stop)}
    places |= {float(place) for place, _ in attacks if start < place < stop}
    places |= {float(beat) for beat in range(ceil(start), floor(stop) + 1)}
    beats_s = [grid.to_seconds(float(place)) for place, _ in attacks]
    heard_s = [time_s for _, time_s in attacks]
    ordered = sorted(places)
    return Clock(
        tuple(ordered),
        tuple(_correct(grid.to_seconds(place), beats_s, heard_s) for place in ordered),
    )


def _find_attacks(onsets: Iterable[tuple[Fraction, float]]) -> list[tuple[Fraction, float, int]]:
    """Return position, median onset and number of notes of each attack, in order."""
    together: defaultdict[Fraction, list[float]] = defaultdict(list)
    for place, onset_s in onsets:
        together[place].append(onset_s)
    return [(place, median(times), len(times)) for place, times in sorted(together.items())]


def _pool(
    attacks: Sequence[tuple[Fraction, float, int]], grid: BeatGrid
) -> list[tuple[Fraction, float]]:
    """Return attacks with times that increase at least by :data:`SLOWEST` of the beats' time."""
    least_s = [SLOWEST * grid.to_seconds(float(place)) for place, _, _ in attacks]
    blocks: list[tuple[float, int, int]] = []  # mean, weight, number of attacks
    for (_, time_s, weight), offset_s in zip(attacks, least_s, strict=True):
        mean, count = time_s - offset_s, 1
        while blocks and blocks[-1][0] >= mean:
            before, before_weight, before_count = blocks.pop()
            mean = (mean * weight + before * before_weight) / (weight + before_weight)
            weight += before_weight
            count += before_count
        blocks.append((mean, weight, count))
    means = (mean for mean, _, count in blocks for _ in range(count))
    return [
        (place, mean + offset_s)
        for (place, _, _), mean, offset_s in zip(attacks, means, least_s, strict=True)
    ]


def _correct(beat_s: float, beats_s: Sequence[float], heard_s: Sequence[float]) -> float:
    """Return when a time on the beats was heard, given attacks on the beats and as heard."""
    if not beats_s:
        return beat_s
    index = bisect_left(beats_s, beat_s)
    if index == len(beats_s):
        return heard_s[-1] + beat_s - beats_s[-1]
    if index == 0:
        return heard_s[0] + beat_s - beats_s[0]
    before, after = index - 1, index
    share = (beat_s - beats_s[before]) / (beats_s[after] - beats_s[before])
    return heard_s[before] + share * (heard_s[after] - heard_s[before])
