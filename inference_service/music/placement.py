"""How a performed note is to be written, as far as rhythm tells."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class NotePlacement:
    """A note's place on the beats of its performance, its written length, and its hand.

    ``start_beats`` counts notated beats from the first heard one. ``is_lower`` is whether the lower
    of two hands plays it. An ``is_ornament`` note has no place of its own: it leads to the note
    that follows it.
    """

    start_beats: Fraction
    duration_beats: Fraction
    is_lower: bool = False
    is_ornament: bool = False


Placements = tuple[tuple[NotePlacement, ...], ...]
"""Of each part of a transcription its notes', in their order; nothing for a part of drums."""
