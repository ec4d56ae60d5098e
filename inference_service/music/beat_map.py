"""Piecewise-linear maps from positions to positions."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class BeatMap:
    """A map from old to new beats, linear between knots and beyond them.

    Attributes
    ----------
    old, new : tuple of Fraction
        Positions of the knots, at least two, ascending.
    """

    old: tuple[Fraction, ...]
    new: tuple[Fraction, ...]

    @property
    def inverse(self) -> BeatMap:
        """The map from new to old beats."""
        return BeatMap(self.new, self.old)

    def move(self, position_beats: Fraction) -> Fraction:
        """Return the new position."""
        index = min(max(bisect_right(self.old, position_beats) - 1, 0), len(self.old) - 2)
        start, stop = self.old[index : index + 2]
        new_start, new_stop = self.new[index : index + 2]
        return new_start + (position_beats - start) * (new_stop - new_start) / (stop - start)

    def then(self, other: BeatMap) -> BeatMap:
        """Return the map that makes both moves, first this one."""
        knots = sorted({*self.old, *map(self.inverse.move, other.old)})
        return BeatMap(tuple(knots), tuple(other.move(self.move(knot)) for knot in knots))
