"""Detect swing: written even eighths that are played long and short.

Jazz and related styles write even eighths and play the first of each pair longer, about two to one
at moderate tempi (Friberg and Sundström, "Swing ratios and ensemble timing in jazz performance",
Music Perception 19:3, 2002). Music swings if nearly all of its divided beats have exactly two notes
in about this ratio.

The thresholds were set by hand; they are not fitted.
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
LONG_SHARE: Final = (0.56, 0.74)
"""Range of the position of a swung second eighth within the beat."""
STRAIGHT_SHARE: Final = (0.44, 0.56)
"""Range of the position of an even second eighth."""
MOST_OTHERS: Final = 0.2
"""Largest number of even, dotted or further divided beats, relative to the swung ones."""

USUAL_SHORT: Final = 2 / 3

_WRITTEN_SHORTS: Final = (Fraction(2, 3), Fraction(3, 4))
"""How swung second eighths are written where they were not heard as such."""

_ON_BEAT: Final = 0.1


def find_swing(places: Floats) -> float | None:
    """Return the position in the beat of the short eighth; None for straight music.

    Parameters
    ----------
    places : np.ndarray, shape (A,)
        Positions of attacks in beats, ascending.
    """
    divided = _divide(places)
    pairs = len(divided.long)
    if pairs < MIN_PAIRS or divided.others > MOST_OTHERS * pairs:
        return None
    return float(np.median(divided.long))


def is_mostly_even(places: Floats) -> bool:
    """Return whether more of the divided beats are even, dotted or crowded than swung."""
    divided = _divide(places)
    return divided.others > len(divided.long)


def find_short(places: Floats) -> float:
    """Return the position in the beat of the short eighth of music that is known to swing."""
    long = _divide(places).long
    return float(np.median(long)) if len(long) else USUAL_SHORT


@dataclass(frozen=True, slots=True)
class _Divided:
    """The positions of swung off-beats in their beats, and the number of other divided beats."""

    long: Floats
    others: int


def _divide(places: Floats) -> _Divided:
    if not len(places):
        return _Divided(np.zeros(0), 0)
    beats, phases = np.floor(places + _ON_BEAT), (places + _ON_BEAT) % 1.0 - _ON_BEAT
    off = phases > _ON_BEAT
    if not off.any():
        return _Divided(np.zeros(0), 0)
    inner = phases[off]
    beat = (beats[off] - beats.min()).astype(np.int64)
    counts = np.bincount(beat)
    alone = counts[beat] == 1
    long = alone & (inner >= LONG_SHARE[0]) & (inner <= LONG_SHARE[1])
    even = alone & (inner >= STRAIGHT_SHARE[0]) & (inner < STRAIGHT_SHARE[1])
    dotted = alone & (inner > LONG_SHARE[1])
    others = int(even.sum() + dotted.sum()) + int((counts > 1).sum())
    return _Divided(np.asarray(inner[long]), others)


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
