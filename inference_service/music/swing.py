"""Detect swing: written even eighths that are played long and short.

Jazz and related styles write even eighths and play the first of each pair longer, by a ratio that
falls with the tempo (Friberg and Sundström, "Swing ratios and ensemble timing in jazz performance",
Music Perception 19:3, 2002). The evidence is where attacks divide beats that a part divides only
once. These off-beats have a density over the beat in swung, in even and in dotted music: a mixture
of normal densities, and a uniform one for fills and errors. Music swings if its off-beats are
likelier under the density of swung music than under the other two.

The densities of swung and even off-beats were fitted to half of the performances of the Jazz Trio
Database and of Groove MIDI. Sixteenths and dotted notes are rare there, so their shares and
deviations were set by hand, as were the thresholds (docs/notation.md, "Swing").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.placement import NotePlacement, Placements

Floats = NDArray[np.float64]

MIN_PAIRS: Final = 8
"""Minimum number of off-beats to decide on."""

SHORTS: Final = (0.55, 0.75)
"""Range of the position of a swung off-beat."""

MIN_ODDS: Final = 0.2
"""Minimum mean log odds of swing per off-beat, above 0 because swung music is rarer."""

LEAST_SWUNG: Final = 1 / 3
"""Minimum share of swung off-beats."""

MOST_EVEN: Final = 0.4
"""Maximum number of off-beats in the middle of the beat, relative to that of swung ones."""

USUAL_SHORT: Final = 2 / 3

_WRITTEN_SHORTS: Final = (Fraction(2, 3), Fraction(3, 4))
"""How swung second eighths are written where they were not heard as such."""

_ON_BEAT: Final = 0.1
_MIDDLE: Final = 0.05
"""Distances within which an attack is on the beat, and an off-beat in the middle of it."""


@dataclass(frozen=True, slots=True)
class _Peak:
    """A normal density over places in the beat, and its share in a mixture."""

    share: float
    place: float
    deviation: float


_SWUNG: Final = (_Peak(0.68, 0.65, 0.054),)
_EVEN: Final = (_Peak(0.68, 0.5, 0.045), _Peak(0.1, 0.75, 0.035), _Peak(0.07, 0.25, 0.035))
_DOTTED: Final = (_Peak(0.6, 0.75, 0.025), _Peak(0.15, 0.5, 0.045))


def find_swing(parts: Iterable[Floats]) -> float | None:
    """Return the position in the beat of the short eighth; None for straight music.

    Parameters
    ----------
    parts : iterable of np.ndarray, each of shape (A,)
        Positions in beats of the attacks of each part, ascending.
    """
    places = np.concatenate([np.zeros(0), *map(_find_off_beats, parts)])
    if len(places) < MIN_PAIRS:
        return None
    swung, even, dotted = _compute_logs(places).mean(axis=1).tolist()
    shorts = _select_swung(places)
    middle = np.count_nonzero(np.abs(places - 0.5) < _MIDDLE)
    if (
        swung - max(even, dotted) < MIN_ODDS
        or len(shorts) < LEAST_SWUNG * len(places)
        or middle > MOST_EVEN * len(shorts)
    ):
        return None
    return float(np.median(shorts))


def find_short(places: Floats) -> float:
    """Return the position in the beat of the short eighth of music that is known to swing."""
    shorts = _select_swung(_find_off_beats(places))
    return float(np.median(shorts)) if len(shorts) else USUAL_SHORT


def _find_off_beats(places: Floats) -> Floats:
    """Return the position in its beat of each attack that alone divides one."""
    if not len(places):
        return np.zeros(0)
    beats, phases = np.floor(places + _ON_BEAT), (places + _ON_BEAT) % 1.0 - _ON_BEAT
    off = phases > _ON_BEAT
    _, beat, counts = np.unique(beats[off], return_inverse=True, return_counts=True)
    return np.asarray(phases[off][counts[beat] == 1])


def _select_swung(places: Floats) -> Floats:
    """Return the off-beats that are likelier to be swung than even or dotted."""
    swung, even, dotted = _compute_logs(places)
    in_range = (places > SHORTS[0]) & (places < SHORTS[1])
    return np.asarray(places[in_range & (swung > np.maximum(even, dotted))])


def _compute_logs(places: Floats) -> Floats:
    """Return the log densities of off-beats in swung, even and dotted music, shape (3, A)."""
    densities = [_compute_density(places, peaks) for peaks in (_SWUNG, _EVEN, _DOTTED)]
    return np.asarray(np.log(densities))


def _compute_density(places: Floats, peaks: Sequence[_Peak]) -> Floats:
    rest = 1.0 - sum(peak.share for peak in peaks)
    density = np.full(len(places), rest / (1.0 - 2 * _ON_BEAT))
    for peak in peaks:
        distance = (places - peak.place) / peak.deviation
        density += peak.share / (peak.deviation * np.sqrt(2 * np.pi)) * np.exp(-(distance**2) / 2)
    return density


def straighten(places: Floats, short: float) -> Floats:
    """Warp positions such that ``short``, a position in the beat, moves to the middle of it."""
    whole = np.floor(places)
    phase = places - whole
    first = phase / short * 0.5
    second = 0.5 + (phase - short) / (1.0 - short) * 0.5
    return np.asarray(whole + np.where(phase < short, first, second))


def write_even(placements: Placements) -> Placements:
    """Return placements with even eighths where a beat is written long and short.

    These are beats in which nothing begins but on the beat and, in all parts alike, on its last
    third or quarter.
    """
    phases: dict[int, set[Fraction]] = {}
    for part in placements:
        for placement in part:
            beat = floor(placement.start_beats)
            phases.setdefault(beat, set()).add(placement.start_beats - beat)
    shorts = {}
    for beat, found in phases.items():
        inner = found - {Fraction(0)}
        if len(inner) == 1 and inner <= set(_WRITTEN_SHORTS):
            shorts[beat] = inner.pop()

    def warp(position: Fraction) -> Fraction:
        beat = floor(position)
        return beat + _warp(position - beat, shorts.get(beat, Fraction(1, 2)), Fraction(1, 2))

    return tuple(tuple(_move(part, warp)) for part in placements)


def write_uneven(placements: Placements) -> Placements:
    """Return placements with even eighths as two thirds and one third of a beat.

    Beats that a part divides in three already stay.
    """
    return tuple(tuple(_write_part_uneven(part)) for part in placements)


def _write_part_uneven(placements: Sequence[NotePlacement]) -> Iterable[NotePlacement]:
    ternary = {
        floor(placement.start_beats)
        for placement in placements
        if placement.start_beats.denominator % 3 == 0
    }

    def warp(position: Fraction) -> Fraction:
        beat = floor(position)
        if beat in ternary:
            return position
        return beat + _warp(position - beat, Fraction(1, 2), Fraction(2, 3))

    return _move(placements, warp)


def _warp(phase: Fraction, knot: Fraction, place: Fraction) -> Fraction:
    """Move ``knot`` to ``place``, and what is before and after it in proportion."""
    if phase < knot:
        return phase / knot * place
    return place + (phase - knot) / (1 - knot) * (1 - place)


def _move(
    placements: Iterable[NotePlacement], warp: Callable[[Fraction], Fraction]
) -> Iterable[NotePlacement]:
    for placement in placements:
        start = warp(placement.start_beats)
        stop = warp(placement.start_beats + placement.duration_beats)
        yield replace(placement, start_beats=start, duration_beats=stop - start)
