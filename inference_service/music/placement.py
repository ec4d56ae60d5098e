"""How performed notes are to be written: position, duration and hand."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class NotePlacement:
    """A note's position on the beats of its performance, its written duration, and its hand.

    Attributes
    ----------
    start_beats : Fraction
        Position in notated beats from the first detected beat.
    duration_beats : Fraction
        Written duration.
    is_lower : bool
        Whether the lower of two hands plays the note.
    is_ornament : bool
        Whether the note is an ornament of the note that follows it, without a position of its own.
    """

    start_beats: Fraction
    duration_beats: Fraction
    is_lower: bool = False
    is_ornament: bool = False


Placements = tuple[tuple[NotePlacement, ...], ...]
"""For each part of a transcription, one placement per note, in order; empty for drum parts."""
