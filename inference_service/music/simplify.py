"""Write notes in coarser values than they were heard in.

Attacks that are not in a place of the coarser grid move to one nearby, all notes of an attack
together. The grid is laid in each bar from its bar line: in quarters, or in the beats of compound
metres. Attacks stay in order and, where there is room, apart (Viterbi over the squared distances,
with a price for two attacks in one place). Notes end where they ended in relation to other attacks,
or at the nearest place, and never where they begin.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Final

from inference_service.music.corrections import Corrections, FinestValue, Triplets
from inference_service.music.metre import TimeSignature
from inference_service.music.placement import NotePlacement

VALUE_QUARTERS: Final = {
    FinestValue.QUARTER: Fraction(1),
    FinestValue.EIGHTH: Fraction(1, 2),
    FinestValue.SIXTEENTH: Fraction(1, 4),
}
"""The finest values, in quarters."""

_FINEST_QUARTERS: Final = Fraction(1, 8)
"""Finest value that notation has, but for grace notes."""

_NO_TRIPLETS_QUARTERS: Final = Fraction(1, 4)
"""Finest value for what was a triplet."""

_TOGETHER_PRICE: Final = 2.0
"""Price of two attacks in one place, in squared steps of the grid."""

_REACH: Final = 2
"""Places on either side of an attack that it may move to."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that notes may have.

    Attributes
    ----------
    finest : FinestValue, optional
        The finest that notation has if None.
    triplets : bool
        Whether triplets may stay.
    """

    finest: FinestValue | None = None
    triplets: bool = True

    def places(
        self, cell_beats: Fraction, signature: TimeSignature, *, is_ternary: bool
    ) -> list[Fraction]:
        """Return the places in a cell of the bar, in beats from its start."""
        quarters = signature.beat_quarters
        value = _FINEST_QUARTERS if self.finest is None else VALUE_QUARTERS[self.finest]
        if is_ternary and not self.triplets:
            value = max(value, _NO_TRIPLETS_QUARTERS)
        elif is_ternary:
            thirds = cell_beats / 3
            # A third of a cell is written with the note of half of it.
            for step, written in ((thirds / 2, cell_beats / 4), (thirds, cell_beats / 2)):
                if written * quarters >= value:
                    return _divide(cell_beats, step)
        return _divide(cell_beats, min(value / quarters, cell_beats))


def _divide(length: Fraction, step: Fraction) -> list[Fraction]:
    count = max(int(length / step), 1)
    return [number * step for number in range(count)]


def choose_grid(corrections: Corrections) -> Grid | None:
    """Return the grid that corrections ask for; None if values are to be as heard."""
    may_be_ternary = corrections.triplets is not Triplets.NOT_ALLOWED
    if corrections.finest_value is None and may_be_ternary:
        return None
    return Grid(corrections.finest_value, may_be_ternary)


def simplify(
    placements: Sequence[NotePlacement],
    lines: Sequence[int],
    signature: TimeSignature,
    grid: Grid,
) -> tuple[NotePlacement, ...]:
    """Return placements in the values of a grid, in the same order.

    No attack moves to a bar after the last one, so that no bar is added.

    Parameters
    ----------
    placements : sequence of NotePlacement
        Of one part.
    lines : sequence of int
        Bar lines in beats, around all placements.
    signature : TimeSignature
    grid : Grid
    """
    starts = sorted({placement.start_beats for placement in placements})
    if not starts:
        return ()
    places = list(_lay_places(starts, lines, signature, grid))
    stop = min((line for line in lines if line > starts[-1]), default=None)
    inside = places if stop is None else places[: bisect_left(places, stop)]
    moved = dict(zip(starts, _settle(starts, inside), strict=True))
    return tuple(_move(placement, starts, moved, places) for placement in placements)


def _lay_places(
    starts: Sequence[Fraction], lines: Sequence[int], signature: TimeSignature, grid: Grid
) -> Iterator[Fraction]:
    """Yield the places of all bars in order."""
    is_wide = grid.finest is FinestValue.QUARTER and signature.is_compound
    cell = Fraction(1) if signature.is_compound else 1 / signature.beat_quarters
    if is_wide:  # quarters are no division of dotted ones
        cell = Fraction(signature.pulse_beats)
    for line, following in pairwise(lines):
        begin = Fraction(line)
        while begin < following:
            length = min(cell, following - begin)
            first, last = bisect_left(starts, begin), bisect_left(starts, begin + length)
            is_ternary = length == cell and any(
                ((start - begin) / length).denominator % 3 == 0 for start in starts[first:last]
            )
            if is_wide:
                yield begin
            else:
                yield from (
                    begin + place for place in grid.places(length, signature, is_ternary=is_ternary)
                )
            begin += length


def _settle(starts: Sequence[Fraction], places: Sequence[Fraction]) -> list[Fraction]:
    """Return the place of each attack (Viterbi)."""
    candidates = [_near(start, places) for start in starts]
    totals: list[float] = []
    came_from: list[list[int]] = []
    for number, (start, here) in enumerate(zip(starts, candidates, strict=True)):
        own = [_price(start, places[place], places, place) for place in here]
        if number == 0:
            totals, choice = own, [0] * len(here)
        else:
            before = candidates[number - 1]
            fresh, choice = [], []
            for place, price in zip(here, own, strict=True):
                arriving = [
                    (total + (_TOGETHER_PRICE if previous == place else 0.0), i)
                    for i, (total, previous) in enumerate(zip(totals, before, strict=True))
                    if previous <= place
                ]
                cheapest, index = min(arriving, default=(float("inf"), 0))
                fresh.append(cheapest + price)
                choice.append(index)
            totals = fresh
        came_from.append(choice)
    index = totals.index(min(totals))
    chosen = []
    for here, choice in zip(reversed(candidates), reversed(came_from), strict=True):
        chosen.append(places[here[index]])
        index = choice[index]
    return chosen[::-1]


def _near(start: Fraction, places: Sequence[Fraction]) -> range:
    """Return the indices of the places that an attack may have: its own, or those around it."""
    index = bisect_right(places, start)
    if index and places[index - 1] == start:
        return range(index - 1, index)
    return range(max(index - _REACH, 0), min(index + _REACH, len(places)))


def _price(start: Fraction, place: Fraction, places: Sequence[Fraction], index: int) -> float:
    """Return the squared distance of an attack from a place, in steps of the grid there."""
    following = index + 1 if index + 1 < len(places) else index
    step = places[following] - places[following - 1] if following else Fraction(1)
    return float((start - place) / step) ** 2


def _move(
    placement: NotePlacement,
    starts: Sequence[Fraction],
    moved: dict[Fraction, Fraction],
    places: Sequence[Fraction],
) -> NotePlacement:
    """Return a note at the new place of its attack, with an end that suits those of the others."""
    start = moved[placement.start_beats]
    end = placement.start_beats + placement.duration_beats
    stop = moved.get(end)
    if stop is None:
        stop = min((places[i] for i in _near(end, places)), key=lambda place: abs(place - end))
        following = bisect_right(starts, end)
        if following < len(starts):
            stop = min(stop, moved[starts[following]])
    if stop <= start:
        following = bisect_right(places, start)
        step = places[following] - start if following < len(places) else Fraction(1)
        stop = start + step
    return replace(placement, start_beats=start, duration_beats=stop - start)
