"""Where edits may let notes begin and end, so that every beat can still be written.

A beat is divided into halves, quarters and eighths, or into thirds and sixths, never into both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from inference_service.music.metre import TimeSignature
from inference_service.notation.durations import rank

_FINEST_BEATS: Final = Fraction(1, 8)
_FINEST_QUARTERS: Final = Fraction(1, 8)
_SIXTH: Final = Fraction(1, 6)


@dataclass(frozen=True, slots=True)
class Places:
    """The places of a part's bars.

    Attributes
    ----------
    signature : TimeSignature
    lines : sequence of int
        Bar lines in beats, around all music.
    list_taken : callable
        Where notes begin and end around a beat.
    """

    signature: TimeSignature
    lines: Sequence[int]
    list_taken: Callable[[int], Iterable[Fraction]]

    def fit(self, position: Fraction) -> Fraction:
        """Return the place that is the nearest to a position."""
        beat = floor(position)
        if position == beat:
            return position
        return min(self._divide(beat, position - beat), key=lambda place: abs(place - position))

    def fit_after(self, start: Fraction, position: Fraction) -> Fraction:
        """Return the place nearest to a position that is later than a start."""
        place = self.fit(position)
        if place > start:
            return place
        beat = floor(start)
        return next(place for place in self._divide(beat, start - beat) if place > start)

    def find_middle(self, start: Fraction, stop: Fraction) -> Fraction | None:
        """Return the strongest place of the bar within a note; of several, the nearest its middle.

        Of two as near, it is the later one, so that the first piece is the longer. None if the note
        is too short.
        """
        beats = [Fraction(beat) for beat in range(floor(start) + 1, floor(stop) + 1)]
        inside = [place for place in beats if start < place < stop]
        middle = (start + stop) / 2
        if not inside:
            beat = floor(start)
            inside = [p for p in self._divide(beat, middle - beat) if start < p < stop]
        return max(
            inside,
            key=lambda place: (self._rank(place), -abs(place - middle), place),
            default=None,
        )

    def _divide(self, beat: int, wanted: Fraction) -> list[Fraction]:
        """Return the places in a beat, by those that it has, or else by one that is wanted."""
        taken = [place - beat for place in self.list_taken(beat) if beat < place < beat + 1]
        is_ternary = any(place.denominator % 3 == 0 for place in taken)
        is_divided = any(place.denominator > 2 for place in taken)
        may_be_ternary = not is_divided and not self.signature.is_compound
        if is_ternary or (may_be_ternary and wanted.denominator in (3, 6)):
            step = _SIXTH
        else:
            step = max(_FINEST_BEATS, _FINEST_QUARTERS / self.signature.beat_quarters)
        return [beat + step * number for number in range(int(1 / step) + 1)]

    def _rank(self, place: Fraction) -> int:
        line = self.lines[max(bisect_right(self.lines, place) - 1, 0)]
        return rank(place - line, self.signature)
