"""Which part of the music a score shows."""

from __future__ import annotations

from enum import StrEnum


class View(StrEnum):
    """What of the music is written down."""

    FULL = "full"
    MELODY = "melody"
    LEAD_SHEET = "lead_sheet"
    PIANO = "piano"
    CHORDS = "chords"
    """Bars with chord names, without a staff."""
