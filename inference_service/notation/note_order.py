"""The written notes of a part in the order of their positions, while edits change them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

from inference_service.music.score import ScoreNote

_BELOW: Final = -1
_ABOVE: Final = 128
"""Pitches below and above all others."""


class NoteOrder:
    """Ids of notes by position, then pitch, and who begins before, at and after a position.

    Positions are compared as floating-point numbers, which is faster than as fractions, and as
    exact: written positions are fractions of small numbers.

    Parameters
    ----------
    notes : iterable of ScoreNote
    """

    def __init__(self, notes: Iterable[ScoreNote]) -> None:
        self._entries = sorted(map(_enter, notes))

    def add(self, note: ScoreNote) -> None:
        """Add a note."""
        insort(self._entries, _enter(note))

    def remove(self, note: ScoreNote) -> None:
        """Remove a note that was added."""
        del self._entries[bisect_left(self._entries, _enter(note))]

    def before(self, position: Fraction) -> Iterator[str]:
        """Yield the notes that begin before a position, the last one first."""
        for index in range(self._find(position, _BELOW) - 1, -1, -1):
            yield self._entries[index][2]

    def after(self, position: Fraction) -> Iterator[str]:
        """Yield the notes that begin after a position, the first one first."""
        for index in range(self._find(position, _ABOVE), len(self._entries)):
            yield self._entries[index][2]

    def at(self, position: Fraction) -> list[str]:
        """Return the notes that begin at a position, from the lowest."""
        return self._names(self._find(position, _BELOW), self._find(position, _ABOVE))

    def within(self, start: Fraction, stop: Fraction | None) -> list[str]:
        """Return the notes that begin at a position or later, and before another if it is given."""
        last = len(self._entries) if stop is None else self._find(stop, _BELOW)
        return self._names(self._find(start, _BELOW), last)

    def _find(self, position: Fraction, pitch: int) -> int:
        return bisect_right(self._entries, (float(position), pitch, ""))

    def _names(self, first: int, last: int) -> list[str]:
        return [name for _, _, name in self._entries[first:last]]


def _enter(note: ScoreNote) -> tuple[float, int, str]:
    return float(note.start_beats), note.pitch, note.id
