"""Beats, bars and metre from performed notes alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import Beat, Rhythm
from inference_service.rhythm.bars import Bars, find_bars
from inference_service.rhythm.locate import locate
from inference_service.rhythm.score_network import QUARTER_PARTS
from inference_service.rhythm.score_reader import Reading

MIN_GAP_S: Final = 0.06
"""Two beats are never nearer."""


def estimate_rhythm(reading: Reading) -> Rhythm | None:
    """Return the rhythm that the notes were read in; None where fewer than two attacks tell."""
    main = find_main_attacks(reading)
    if len(main) < 2:
        return None
    onset_s = reading.attacks.onset_s[main]
    positions = locate(onset_s, reading.place[main], reading.interval[main], reading.tempo[main])
    bars = find_bars(positions, reading.downbeat[main], reading.metre[main])
    beats = _time_beats(bars, positions, onset_s)
    gaps = np.diff([beat.time_s for beat in beats])
    return Rhythm(
        beats=beats,
        tempo_bpm=60.0 / float(np.median(gaps)),
        time_signature=f"{bars.metre[0]}/{bars.metre[1]}",
    )


def find_main_attacks(reading: Reading) -> NDArray[np.intp]:
    """Return the attacks that are more than ornaments."""
    best = np.full(len(reading.attacks.onset_s), np.inf)
    np.minimum.at(best, reading.attacks.index, reading.extra)
    return np.flatnonzero(best < 0)


def _time_beats(
    bars: Bars, positions: NDArray[np.int64], onset_s: NDArray[np.float64]
) -> tuple[Beat, ...]:
    """Lay beats, a dotted quarter each in compound metres, through the attacks."""
    beats, unit = bars.metre
    length = 4 * QUARTER_PARTS // unit * (3 if unit == 8 and beats % 3 == 0 else 1)
    places, first = np.unique(positions, return_index=True)
    times_s = onset_s[first]
    found: list[Beat] = []
    for line, following in zip(bars.lines, bars.lines[1:], strict=False):
        for position, place in enumerate(range(line, following, length), start=1):
            if following - place < length // 2 and position > 1:
                continue  # what is left of an odd bar is no beat of its own
            time_s = _time_at(place, places, times_s)
            if time_s >= -MIN_GAP_S and (not found or time_s - found[-1].time_s >= MIN_GAP_S):
                found.append(Beat(max(time_s, 0.0), position))
    return tuple(found)


def _time_at(place: int, places: NDArray[np.int64], times_s: NDArray[np.float64]) -> float:
    """Interpolate; beyond the ends, go on at the pace of the nearest eight attacks."""
    if places[0] <= place <= places[-1] or len(places) < 2:
        return float(np.interp(place, places, times_s))
    near = slice(0, 8) if place < places[0] else slice(-8, None)
    span = max(int(places[near][-1] - places[near][0]), 1)
    pace_s = (times_s[near][-1] - times_s[near][0]) / span
    edge = 0 if place < places[0] else -1
    return float(times_s[edge] + (place - places[edge]) * pace_s)
