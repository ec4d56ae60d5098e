"""The views of a score."""

from __future__ import annotations

from enum import StrEnum


class View(StrEnum):
    """A selection of the music to write down."""

    FULL = "full"
    MELODY = "melody"
    LEAD_SHEET = "lead_sheet"
    PIANO = "piano"
    CHORDS = "chords"
    """Bars with chord names, without a staff."""
