"""An engraved score with all that it takes to play and follow it, as plain values.

Positions and lengths are in quarters from the beginning of the first written bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.client.types import Result


@dataclass(frozen=True, slots=True)
class Screen:
    """Where pages are shown, in CSS pixels; 0 leaves a size to the service."""

    width_px: int = 0
    staff_height_px: float = 0.0


@dataclass(frozen=True, slots=True)
class SheetMeasure:
    """A bar: its number as printed, its element's id, and the page it is on, from 1.

    ``fifths`` are the sharps of its key signature, or its flats if negative.
    """

    number: str
    id: str
    page: int
    start: float
    end: float
    fifths: int


@dataclass(frozen=True, slots=True)
class SheetNote:
    """A note that is played once, with the ids of all its noteheads' elements.

    ``note`` names the heard note in edits. ``pitch`` is a MIDI number, as sounding on the page.
    """

    ids: tuple[str, ...]
    note: str
    part: str
    pitch: int
    start: float
    duration: float
    velocity: int


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A part as it is written; ``program`` is General MIDI's, from 0."""

    id: str
    name: str
    program: int
    is_drum: bool
    staves: int


@dataclass(frozen=True, slots=True)
class ClockPoint:
    """When a position of the score is heard in the recording."""

    quarters: float
    time_s: float


@dataclass(frozen=True, slots=True)
class SheetChord:
    """A chord symbol."""

    start: float
    text: str


@dataclass(frozen=True, slots=True)
class SheetFont:
    """A font with the characters that the pages use."""

    family: str
    is_bold: bool
    is_italic: bool
    woff2: bytes


@dataclass(frozen=True, slots=True)
class Sheet:
    """An engraved score; ``pages`` are SVG, and ``glyphs`` is an SVG element with their signs."""

    result: Result
    measures: tuple[SheetMeasure, ...]
    notes: tuple[SheetNote, ...]
    parts: tuple[SheetPart, ...]
    clock: tuple[ClockPoint, ...]
    chords: tuple[SheetChord, ...]
    sounds: tuple[str, ...]
    duration_s: float
    fonts: tuple[SheetFont, ...]
    glyphs: str
    pages: tuple[str, ...]


class SoundEncoding(StrEnum):
    """How a sound is sent: as it is kept, or for browsers that do not decode Opus in Ogg."""

    OPUS = "opus"
    FLAC = "flac"


@dataclass(frozen=True, slots=True)
class Sound:
    """What a sound is, before its bytes come."""

    media_type: str
    size_bytes: int
