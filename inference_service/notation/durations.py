"""Write spans of time as note values that show the metre.

A span within a bar becomes one note if the metre stays readable, else several tied notes (Gould,
"Behind Bars", 2011, ch. "Meter"). A note must not cross a stronger position of the metre than the
one that it starts on, with two exceptions: a plain syncopation, centred on a position one rank
stronger, and a dotted value that is the last three quarters of a beat or of half a bar. Positions
rank as follows: bar line, middle of a bar of four beats (or every third beat of a compound metre),
beat, half beat, quarter beat, ... Rests are stricter and never syncopated.

A beat with positions that are not binary divisions is a triplet. Its notes are written in units of
a third or a sixth of the beat, as two thirds of the plain value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Final

from inference_service.music.metre import TimeSignature

TRIPLET: Final = Fraction(3, 2)
SMALLEST_QUARTERS: Final = Fraction(1, 16)
"""A 64th note. Callers must avoid finer positions."""

_TYPES: Final[dict[Fraction, str]] = {
    Fraction(8): "breve",
    Fraction(4): "whole",
    Fraction(2): "half",
    Fraction(1): "quarter",
    Fraction(1, 2): "eighth",
    Fraction(1, 4): "16th",
    Fraction(1, 8): "32nd",
    Fraction(1, 16): "64th",
}
_DOTTED: Final = {value * Fraction(3, 2): name for value, name in _TYPES.items()}


@dataclass(frozen=True, slots=True)
class NoteValue:
    """A written note value.

    Attributes
    ----------
    start_beats, duration_beats : Fraction
        Position from the bar line, and length.
    type : str
        ``"quarter"``, ``"eighth"``, ...
    dots : int
    is_triplet : bool
        Whether it belongs to a triplet, three in the time of two.
    """

    start_beats: Fraction
    duration_beats: Fraction
    type: str
    dots: int
    is_triplet: bool = False


@lru_cache(maxsize=20_000)  # bars are much alike
def split_span(
    start: Fraction,
    stop: Fraction,
    signature: TimeSignature,
    triplet_beats: frozenset[int],
    *,
    is_rest: bool = False,
) -> tuple[NoteValue, ...]:
    """Write the span from ``start`` to ``stop`` as consecutive values.

    Parameters
    ----------
    start, stop : Fraction
        Beats from the bar line, within the bar.
    signature : TimeSignature
    triplet_beats : frozenset of int
        Beats of the bar that are written as triplets.
    is_rest : bool
    """
    values: list[NoteValue] = []
    for a, b in _pieces(start, stop, triplet_beats):
        if floor(a) in triplet_beats and b <= floor(a) + 1 and b - a < 1:
            values.extend(_split_triplet(a, b, signature))
        else:
            values.extend(_split_even(a, b, signature, is_rest))
    return tuple(values)


def triplet_beats(positions: Iterator[Fraction]) -> frozenset[int]:
    """Return the beats with positions in thirds of a beat or their divisions."""
    return frozenset(floor(p) for p in positions if p.denominator % 3 == 0)


def _pieces(
    start: Fraction, stop: Fraction, triplets: frozenset[int]
) -> Iterator[tuple[Fraction, Fraction]]:
    """Cut a span at the edges of triplet beats that it fills only partly."""
    while start < stop:
        beat = floor(start)
        if beat in triplets and start != beat:
            cut = min(Fraction(beat + 1), stop)
        else:
            end = floor(stop)
            cut = Fraction(end) if end in triplets and end > start else stop
        yield start, cut
        start = cut


def _split_triplet(
    start: Fraction, stop: Fraction, signature: TimeSignature
) -> Iterator[NoteValue]:
    """Write a span within one triplet beat."""
    while start < stop:
        duration = stop - start
        written = duration * TRIPLET * signature.beat_quarters
        value = _find_value(written)
        while value is None:
            duration -= Fraction(1, 6)
            if duration <= 0:  # no triplet value fits: write the shortest one
                duration, value = stop - start, ("64th", 0)
                break
            value = _find_value(duration * TRIPLET * signature.beat_quarters)
        yield NoteValue(start, duration, *value, is_triplet=True)
        start += duration


def _split_even(
    start: Fraction, stop: Fraction, signature: TimeSignature, is_rest: bool
) -> Iterator[NoteValue]:
    """Write a span on binary positions."""
    value = _find_value((stop - start) * signature.beat_quarters)
    hidden = _strongest_inside(start, stop, signature)
    if hidden is None:
        yield NoteValue(start, stop - start, *(value or ("64th", 0)))
        return
    if value is not None and _is_readable(start, stop, hidden, signature, is_rest):
        yield NoteValue(start, stop - start, *value)
        return
    yield from _split_even(start, hidden, signature, is_rest)
    yield from _split_even(hidden, stop, signature, is_rest)


def _find_value(quarters: Fraction) -> tuple[str, int] | None:
    if quarters in _TYPES:
        return _TYPES[quarters], 0
    if quarters in _DOTTED:
        return _DOTTED[quarters], 1
    return None


def _is_readable(
    start: Fraction, stop: Fraction, hidden: Fraction, signature: TimeSignature, is_rest: bool
) -> bool:
    from_rank, to_rank = rank(start, signature), rank(stop, signature)
    hidden_rank = rank(hidden, signature)
    if is_rest:
        return _is_readable_rest(start, stop, hidden_rank, from_rank, signature)
    if signature.is_compound and hidden_rank >= _GROUP:
        return from_rank >= _GROUP and to_rank >= _GROUP
    if from_rank >= hidden_rank:
        return True
    if signature.is_compound:
        return False
    if _fills_unit(start, stop, signature):
        return True
    return hidden - start == stop - hidden and hidden_rank - from_rank == 1


def _fills_unit(start: Fraction, stop: Fraction, signature: TimeSignature) -> bool:
    """Whether a span is the last three quarters of a beat, of its division, or of half a bar."""
    unit = (stop - start) * Fraction(4, 3)
    longest = 2 if signature.beats in (2, 4) else 1
    is_binary = unit.numerator & (unit.numerator - 1) == 0
    return is_binary and unit <= longest and stop % unit == 0


def _is_readable_rest(
    start: Fraction, stop: Fraction, hidden_rank: int, from_rank: int, signature: TimeSignature
) -> bool:
    if signature.is_compound:
        return hidden_rank < min(from_rank, _GROUP)
    length = stop - start
    is_plain = length.numerator & (length.numerator - 1) == 0
    return from_rank > hidden_rank and (is_plain or length < 1)


_GROUP: Final = 1
"""Rank of a group of beats: half a bar of four, three beats of a compound metre."""

_MIDDLE_BEATS: Final = {4: 2, 5: 3, 7: 4, 8: 4}
"""Number of beats in a simple bar to the beat that divides it in two."""


def rank(position: Fraction, signature: TimeSignature) -> int:
    """Metrical strength: 2 for a bar line, 1 for a group, 0 for a beat, -1 for half a beat, ..."""
    if position % signature.beats == 0:
        return 2
    if position.denominator > 1:
        return -(position.denominator.bit_length() - 1)
    if signature.is_compound:
        return _GROUP if position % 3 == 0 else 0
    return _GROUP if position == _MIDDLE_BEATS.get(signature.beats) else 0


def _strongest_inside(start: Fraction, stop: Fraction, signature: TimeSignature) -> Fraction | None:
    """Return the strongest position strictly inside a span, the first among equals.

    None if there is none on the grid of 64th notes.
    """
    best: Fraction | None = None
    step = Fraction(1)
    while step * signature.beat_quarters >= SMALLEST_QUARTERS:
        first = step * (floor(start / step) + 1)
        candidates = [first + k * step for k in range(ceil((stop - first) / step))]
        best = max(candidates, key=lambda p: rank(p, signature), default=None)
        if best is not None:
            return best
        step /= 2
    return best
