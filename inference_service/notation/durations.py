"""Spans of time as note values that show the metre.

A span within a bar becomes one note where its place in the bar stays readable, else several tied
ones (Gould, "Behind Bars", 2011, ch. "Meter"): a note hides no place of the metre stronger than
the one that it starts on, but for the plain syncopation that lies evenly around a place one rank
stronger. Places rank: bar line, middle of a bar of four beats (or each third beat of a compound
metre), beat, half beat, quarter beat, ... Rests are stricter: they are never syncopated.

A beat in which a line has places off the powers of two is a triplet; its notes are written in
units of a third or a sixth of the beat, two thirds of the plain value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final

from inference_service.music.metre import TimeSignature

TRIPLET: Final = Fraction(3, 2)
SMALLEST_QUARTERS: Final = Fraction(1, 16)
"""A 64th note; finer positions are the caller's to avoid."""

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
    """A written value.

    Attributes
    ----------
    start_beats, duration_beats : Fraction
        Place from the bar line, and length.
    type : str
        ``"quarter"``, ``"eighth"``, ...
    dots : int
    is_triplet : bool
        Whether three are written in the time of two.
    """

    start_beats: Fraction
    duration_beats: Fraction
    type: str
    dots: int
    is_triplet: bool = False


def split_span(
    start: Fraction,
    stop: Fraction,
    signature: TimeSignature,
    triplet_beats: frozenset[int],
    *,
    is_rest: bool = False,
) -> list[NoteValue]:
    """Write the span from ``start`` to ``stop`` beats of a bar as consecutive values.

    Parameters
    ----------
    start, stop : Fraction
        Beats from the bar line, within the bar.
    signature : TimeSignature
    triplet_beats : frozenset of int
        The beats of the bar that are written in triplets.
    is_rest : bool
    """
    values: list[NoteValue] = []
    for a, b in _pieces(start, stop, triplet_beats):
        if floor(a) in triplet_beats and b <= floor(a) + 1 and b - a < 1:
            values.extend(_split_triplet(a, b, signature))
        else:
            values.extend(_split_even(a, b, signature, is_rest))
    return values


def triplet_beats(positions: Iterator[Fraction]) -> frozenset[int]:
    """Return the beats in which some of the positions are no power-of-two division."""
    return frozenset(floor(p) for p in positions if p.denominator % 3 == 0)


def _pieces(
    start: Fraction, stop: Fraction, triplets: frozenset[int]
) -> Iterator[tuple[Fraction, Fraction]]:
    """Cut a span at the edges of the triplet beats that it does not fill."""
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
    """Write a span inside one triplet beat."""
    while start < stop:
        duration = stop - start
        written = duration * TRIPLET * signature.beat_quarters
        value = _find_value(written)
        while value is None:
            duration -= Fraction(1, 6)
            if duration <= 0:  # off every triplet place: the shortest value stands for it
                duration, value = stop - start, ("64th", 0)
                break
            value = _find_value(duration * TRIPLET * signature.beat_quarters)
        yield NoteValue(start, duration, *value, is_triplet=True)
        start += duration


def _split_even(
    start: Fraction, stop: Fraction, signature: TimeSignature, is_rest: bool
) -> Iterator[NoteValue]:
    """Write a span on power-of-two places."""
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
    from_rank, to_rank = _rank(start, signature), _rank(stop, signature)
    hidden_rank = _rank(hidden, signature)
    if is_rest:
        return _is_readable_rest(start, stop, hidden_rank, from_rank, signature)
    if signature.is_compound and hidden_rank >= _GROUP:
        return from_rank >= _GROUP and to_rank >= _GROUP
    if from_rank >= hidden_rank:
        return True
    is_centred = hidden - start == stop - hidden
    return is_centred and hidden_rank - from_rank == 1 and not signature.is_compound


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
"""Where a simple bar of so many beats falls in two."""


def _rank(position: Fraction, signature: TimeSignature) -> int:
    """Strength of a place: 2 for a bar line, 1 a group, 0 a beat, -1 half a beat, and so on."""
    if position % signature.beats == 0:
        return 2
    if position.denominator > 1:
        return -(position.denominator.bit_length() - 1)
    if signature.is_compound:
        return _GROUP if position % 3 == 0 else 0
    return _GROUP if position == _MIDDLE_BEATS.get(signature.beats) else 0


def _strongest_inside(start: Fraction, stop: Fraction, signature: TimeSignature) -> Fraction | None:
    """Return the strongest place strictly inside a span; of equals the first.

    None where the span has no place inside that is worth a 64th note.
    """
    best: Fraction | None = None
    step = Fraction(1)
    while step * signature.beat_quarters >= SMALLEST_QUARTERS:
        first = step * (floor(start / step) + 1)
        candidates = [first + k * step for k in range(ceil((stop - first) / step))]
        best = max(candidates, key=lambda p: _rank(p, signature), default=None)
        if best is not None:
            return best
        step /= 2
    return best
