"""The options of a request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from inference_service.continuation.options import ContinuationOptions
from inference_service.errors import InvalidOptions
from inference_service.music.adjustments import Adjustments, NamedKey
from inference_service.music.corrections import Edit
from inference_service.music.events import Transcription
from inference_service.notation.names import Language
from inference_service.notation.page import Paper
from inference_service.notation.views import View

MAX_TRANSPOSITION = 24
MAX_TITLE_CHARS = 200
WIDTH_PX = (200, 4000)
STAFF_HEIGHT_PX = (8.0, 80.0)


class Preset(StrEnum):
    """The kind of recording, which determines the models that transcribe it."""

    AUTO = "auto"
    VOICE = "voice"
    PIANO = "piano"
    SONG = "song"
    GUITAR = "guitar"
    SOLO = "solo"
    ENSEMBLE = "ensemble"


class RhythmSource(StrEnum):
    """Source of the beats of a MIDI file: the file, its notes, or the more plausible of the two."""

    AUTO = "auto"
    FILE = "file"
    NOTES = "notes"


class Pitches(StrEnum):
    """The written pitches of singers: those that were meant, or the nearest to what was sung."""

    MEANT = "meant"
    SUNG = "sung"


class Format(StrEnum):
    """A file format to return."""

    JSON = "json"
    MIDI = "midi"
    MUSICXML = "musicxml"
    PNG = "png"
    PDF = "pdf"
    ROLL = "roll"
    PREVIEW = "preview"
    STEMS = "stems"


DEFAULT_FORMATS = frozenset(Format) - {Format.PREVIEW, Format.STEMS}
"""Formats that any result has: previews need a synthesiser and a soundfont, stems need a song."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a transcription becomes files.

    ``simple_chords`` reduces chords to triads and sevenths in root position; ``paper`` is the page
    size of the PDF; ``pitches`` applies to singers whose pitches were measured in cents. ``page``,
    from 1, is the only page to draw as a picture; past the end it is the last; 0 stands for all.
    With ``choose_view``, the view is that of :func:`inference_service.pipeline.shown.settle_view`.
    ``edit`` is made to the corrections that the transcription already has. ``language`` is that of
    part names on pages. ``adjustments`` and ``transpose_to`` are in terms of the page that is
    shown; :func:`inference_service.pipeline.relative.make_absolute` replaces them.

    Raises
    ------
    InvalidOptions
        If a value is outside its range.
    """

    view: View = View.FULL
    transpose_semitones: int = 0
    formats: frozenset[Format] = DEFAULT_FORMATS
    title: str = ""
    simple_chords: bool = False
    paper: Paper = Paper.A4
    pitches: Pitches = Pitches.MEANT
    page: int = 0
    choose_view: bool = False
    edit: Edit = field(default_factory=Edit)
    language: Language = Language.EN
    adjustments: Adjustments = field(default_factory=Adjustments)
    transpose_to: NamedKey | None = None

    def __post_init__(self) -> None:
        if abs(self.transpose_semitones) > MAX_TRANSPOSITION:
            raise InvalidOptions(
                f"transposition by {self.transpose_semitones} semitones is over the limit of "
                f"{MAX_TRANSPOSITION}",
                option="transpose",
            )
        if len(self.title) > MAX_TITLE_CHARS:
            raise InvalidOptions(
                f"the title has {len(self.title)} characters, over the limit of {MAX_TITLE_CHARS}",
                option="title",
            )
        if not self.formats:
            raise InvalidOptions("no format was requested", option="formats")

    def amend(self, transcription: Transcription) -> Transcription:
        """Return a transcription with the request's corrections, which are not applied yet."""
        corrections = self.edit.apply(transcription.corrections)
        return replace(transcription, corrections=corrections)


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """How a recording is transcribed and rendered."""

    preset: Preset = Preset.AUTO
    render: RenderOptions = field(default_factory=RenderOptions)


DEFAULT_CONTINUATION_FORMATS = frozenset({Format.MUSICXML, Format.PNG, Format.PDF, Format.MIDI})
"""Formats of a continuation, which is not performed and has neither piano roll nor result."""


@dataclass(frozen=True, slots=True)
class ContinueOptions:
    """How music is continued, and how the continuation is rendered.

    Raises
    ------
    InvalidOptions
        If a format is not available for continuations.
    """

    music: ContinuationOptions = field(default_factory=ContinuationOptions)
    render: RenderOptions = field(
        default_factory=lambda: RenderOptions(formats=DEFAULT_CONTINUATION_FORMATS)
    )

    def __post_init__(self) -> None:
        for written in self.render.formats - DEFAULT_CONTINUATION_FORMATS - {Format.PREVIEW}:
            raise InvalidOptions(f"a continuation cannot be written as {written}", option="formats")


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a sheet is shown, in CSS pixels.

    Attributes
    ----------
    width_px : int
        Width of the pages.
    staff_height_px : float, optional
        Height of a staff; None: one that suits the width.

    Raises
    ------
    InvalidOptions
        If a value is outside its range.
    """

    width_px: int = 390
    staff_height_px: float | None = None

    def __post_init__(self) -> None:
        narrowest, widest = WIDTH_PX
        if not narrowest <= self.width_px <= widest:
            raise InvalidOptions(
                f"a screen's width is from {narrowest} to {widest} pixels", option="width"
            )
        lowest, highest = STAFF_HEIGHT_PX
        if self.staff_height_px is not None and not lowest <= self.staff_height_px <= highest:
            raise InvalidOptions(
                f"a staff's height is from {lowest:g} to {highest:g} pixels", option="staff_height"
            )


def clean_title(text: str) -> str:
    """Return a title without control characters, which neither MusicXML nor MIDI can hold."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
