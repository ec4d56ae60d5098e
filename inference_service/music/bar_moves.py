"""Move the bar lines from one of them on, and make up for it in the bar before.

Where a singer pauses or a note is located wrongly, the bar lines are right up to there and wrong
from there on. Moved lines leave the bar before them longer or shorter. If its length is then that
of the metre, as when a bar of another length had been heard there, nothing else changes. If not,
the music is held to have kept its metre: beats are taken from the longest note or rest of the bar,
or added to it, and the notes after it are written earlier or later.

Such a note or rest is longer than the beats by half at least; in a single line, one to which beats
are added may be as long as these. Without one, as where an accompaniment goes on at every beat, the
bar is written in a time signature of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Final

from inference_service.errors import InvalidCorrections
from inference_service.music.beat_map import BeatMap
from inference_service.music.placement import Beats

MAX_BAR_MOVES: Final = 100
MAX_BEATS: Final = 100_000
"""The largest number of a beat at which lines may move."""

MAX_MOVE_BEATS: Final = 100
_LEAST_RATIO: Final = Fraction(3, 2)
"""How much longer than its change a note or rest must be."""


@dataclass(frozen=True, slots=True, order=True)
class BarMove:
    """All bar lines from one on, moved.

    Attributes
    ----------
    from_beat : Fraction
        The number of a heard beat, from 1, or a place between two. The nearest bar line, as it is
        without moves, and all later ones are moved.
    beats : Fraction
        By how many heard beats they come later; negative if earlier.

    Raises
    ------
    InvalidCorrections
        If a value is outside its range.
    """

    from_beat: Beats
    beats: Beats

    def __post_init__(self) -> None:
        if not 0 < self.from_beat <= MAX_BEATS or abs(self.beats) > MAX_MOVE_BEATS:
            raise InvalidCorrections(
                "bar lines are moved from a beat on, by beats", correction="bar_moves"
            )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Music between two positions that becomes longer, or shorter if ``change`` is negative."""

    start: Fraction
    stop: Fraction
    change: Fraction


@dataclass(frozen=True, slots=True)
class Mending:
    """How music moves to keep its metre where bar lines have moved.

    Attributes
    ----------
    stretches : tuple of Stretch
        In order, each after the one before. Other music moves without changing its length.
    """

    stretches: tuple[Stretch, ...] = ()
    map: BeatMap = field(init=False)

    def __post_init__(self) -> None:
        knots: dict[Fraction, Fraction] = {}
        moved = Fraction(0)
        for stretch in self.stretches:
            knots[stretch.start] = stretch.start + moved
            moved += stretch.change
            knots[stretch.stop] = stretch.stop + moved
        first, last = min(knots, default=Fraction(0)), max(knots, default=Fraction(0))
        knots[first - 1] = knots.get(first, first) - 1
        knots[last + 1] = knots.get(last, last) + 1
        old = tuple(sorted(knots))
        object.__setattr__(self, "map", BeatMap(old, tuple(knots[place] for place in old)))

    def move_end(self, end: Fraction) -> Fraction:
        """Return where a note ends that ended at a position.

        A rest becomes longer or shorter before the note in front of it does.
        """
        for stretch in self.stretches:
            if stretch.start < end < stretch.stop:
                kept = self.map.move(stretch.start) + end - stretch.start
                return min(kept, self.map.move(stretch.stop))
        return self.map.move(end)


@dataclass(frozen=True, slots=True)
class MovedLines:
    """Bar lines that were moved.

    Attributes
    ----------
    lines : tuple of Fraction
        Where the lines are in the music that was mended.
    mending : Mending
    moves : tuple of (Fraction, Fraction)
        Each line at which a move begins, in the unmended music, and by how much the lines from
        there on have moved.
    """

    lines: tuple[Fraction, ...]
    mending: Mending
    moves: tuple[tuple[Fraction, Fraction], ...] = ()


def move_lines(
    lines: Sequence[Fraction],
    moves: Mapping[int, Fraction],
    length: Fraction,
    beat: Fraction,
    attacks: Sequence[Fraction],
    *,
    is_single_line: bool,
) -> MovedLines:
    """Move bar lines.

    Parameters
    ----------
    lines : sequence of Fraction
        At least one, ascending.
    moves : mapping of int to Fraction
        By how much the line of an index, and all later ones, come later.
    length : Fraction
        Of a regular bar.
    beat : Fraction
        Of which a bar has a whole number.
    attacks : sequence of Fraction
        Where notes begin, ascending.
    is_single_line : bool
        Whether no two notes begin together.
    """
    placed: list[Fraction] = []
    changed: dict[Fraction, Fraction] = {}
    moved = Fraction(0)
    for index, line in enumerate(lines):
        here = moves.get(index, Fraction(0))
        moved += here
        place = line + moved
        if here:
            while placed and placed[-1] >= place:
                changed.pop(placed.pop(), None)
            while placed and place - placed[-1] >= 2 * length:
                placed.append(placed[-1] + length)
            changed[place] = moved
        placed.append(place)
    stretches = [
        stretch
        for line, following in pairwise(placed)
        if following in changed
        for stretch in _mend(line, following, length, beat, attacks, is_single_line)
    ]
    mending = Mending(tuple(stretches))
    return MovedLines(tuple(map(mending.map.move, placed)), mending, tuple(changed.items()))


def _mend(
    line: Fraction,
    following: Fraction,
    length: Fraction,
    beat: Fraction,
    attacks: Sequence[Fraction],
    is_single_line: bool,
) -> list[Stretch]:
    """Return what becomes longer or shorter in a bar so that it keeps the metre, or whole beats."""
    change = length - (following - line)
    missing = (line - following) % beat
    edges = [line, *(attack for attack in attacks if line < attack < following), following]
    start, stop = max(reversed(list(pairwise(edges))), key=lambda gap: gap[1] - gap[0])
    least = change if change > 0 and is_single_line else _LEAST_RATIO * abs(change)
    if stop - start < least:
        change = missing
    return [Stretch(start, stop, change)] if change else []
