"""What the practice page asks and is answered: JSON to values and back.

Requests are read strictly: a field that is unknown, missing or of another type is refused.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.buttons import MAX_TRANSPOSITION
from bot.client.sheets import Screen, Sheet, SoundEncoding
from bot.client.types import Adjustments, Corrections, Pitches, RenderOptions, Result, View
from bot.errors import BotError, BotErrorCode
from bot.fix_words import capitalised, reading_words
from bot.i18n import Translator
from bot.practice.links import Link

MAX_ALTERNATIVES: Final = 6
MAX_REVISION_CHARS: Final = 43
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$"
"""Of sounds and sound banks: no name leads out of a folder."""

T = TypeVar("T")
_Names = Annotated[tuple[Annotated[str, Field(pattern=NAME)], ...], Field(max_length=129)]


class Display(BaseModel):
    """How the page wants to see the score; None stands for as the chat shows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(default=0, ge=0, le=4000)
    staff: float = Field(default=0.0, ge=0, le=80)
    view: View | None = None
    transpose: int | None = Field(default=None, ge=-MAX_TRANSPOSITION, le=MAX_TRANSPOSITION)
    pitches: Pitches | None = None
    simple_chords: bool | None = None
    language: Literal["en", "ru"] | None = None

    @model_validator(mode="after")
    def _require_sizes(self) -> Self:
        if 0 < self.width < 200 or 0 < self.staff < 8:
            raise ValueError("too small to be read")
        return self

    @property
    def screen(self) -> Screen:
        """The sizes."""
        return Screen(self.width, self.staff)

    def options(self, link: Link, language: str) -> RenderOptions:
        """How the service is to write the score."""
        shown = link.shown
        return RenderOptions(
            view=shown.view if self.view is None else self.view,
            transpose_semitones=(
                shown.transpose_semitones if self.transpose is None else self.transpose
            ),
            simple_chords=(
                shown.simple_chords if self.simple_chords is None else self.simple_chords
            ),
            pitches=shown.pitches if self.pitches is None else self.pitches,
            title=link.title,
            language=language,
        )


class Listening(BaseModel):
    """How a sound is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: SoundEncoding = SoundEncoding.OPUS


class Take(Display):
    """What a file to take along holds: sounds by name, how they are encoded, and sound banks."""

    encoding: SoundEncoding = SoundEncoding.OPUS
    sounds: _Names = ("recording",)
    banks: _Names = ()

    @model_validator(mode="before")
    @classmethod
    def _split_names(cls, values: Any) -> Any:
        """Accept ``vocals,drums``."""
        names = ("sounds", "banks")
        return {
            name: tuple(filter(None, value.split(","))) if name in names else value
            for name, value in values.items()
        }


class RevisionBody(Display):
    """A request that builds on a revision."""

    model_config = ConfigDict(strict=True)

    revision: str = Field(min_length=1, max_length=MAX_REVISION_CHARS)


class EditBody(RevisionBody):
    """Corrections to add, absolute or in terms of the page."""

    corrections: Corrections = Corrections()
    adjustments: Adjustments = Adjustments()


def read_display(query: Mapping[str, str]) -> Display:
    """Read the query of a request for a score.

    Raises
    ------
    BotError
        ``INVALID_REQUEST``.
    """
    return _checked(lambda: Display.model_validate(dict(query)))


def read_listening(query: Mapping[str, str]) -> Listening:
    """Read the query of a request for a sound.

    Raises
    ------
    BotError
        ``INVALID_REQUEST``.
    """
    return _checked(lambda: Listening.model_validate(dict(query)))


def read_take(query: Mapping[str, str]) -> Take:
    """Read the query of a request for a file.

    Raises
    ------
    BotError
        ``INVALID_REQUEST``.
    """
    return _checked(lambda: Take.model_validate(dict(query)))


def read_revision(body: bytes) -> RevisionBody:
    """Read the body of a request that builds on a revision.

    Raises
    ------
    BotError
        ``INVALID_REQUEST``.
    """
    return _checked(lambda: RevisionBody.model_validate_json(body))


def read_edit(body: bytes) -> EditBody:
    """Read the body of a request for corrections.

    Raises
    ------
    BotError
        ``INVALID_REQUEST``.
    """
    return _checked(lambda: EditBody.model_validate_json(body))


def write_score(
    link: Link, sheet: Sheet, t: Translator, *, can_undo: bool, can_redo: bool
) -> dict[str, Any]:
    """Return a score for the page."""
    result = sheet.result
    return {
        "revision": result.result_id,
        "title": link.title,
        "language": t.language,
        "view": result.view,
        "views": list(View),
        "transpose": result.transpose_semitones,
        "pitches": result.pitches,
        "simple_chords": result.simple_chords,
        "sung_differs": result.sung_differs,
        "key": write_plain(result.rendered_key),
        "time_signature": result.time_signature,
        "tempo_bpm": result.tempo_bpm,
        "beat_scale": result.beat_scale,
        "first_beat": result.first_beat,
        "tuning_cents": result.tuning_cents,
        "bar_count": result.bar_count,
        "metre_is_doubtful": result.metre_is_doubtful,
        "key_is_doubtful": result.key_is_doubtful,
        "glyphs": sheet.glyphs,
        "pages": list(sheet.pages),
        "measures": [dataclasses.asdict(bar) for bar in sheet.measures],
        "notes": [dataclasses.asdict(note) for note in sheet.notes],
        "parts": [dataclasses.asdict(part) for part in sheet.parts],
        "clock": [[point.quarters, point.time_s] for point in sheet.clock],
        "chords": [dataclasses.asdict(chord) for chord in sheet.chords],
        "sounds": list(sheet.sounds),
        "fonts": [
            {**dataclasses.asdict(font), "woff2": base64.b64encode(font.woff2).decode()}
            for font in sheet.fonts
        ],
        "duration_s": sheet.duration_s,
        "corrections": write_plain(result.corrections),
        "alternatives": [
            {"text": words, "corrections": write_plain(edit)}
            for words, edit in list(other_readings(result, t).items())[:MAX_ALTERNATIVES]
        ],
        "can_undo": can_undo,
        "can_redo": can_redo,
        "can_send": True,
    }


def other_readings(result: Result, t: Translator) -> dict[str, Corrections]:
    """Other readings of rhythm and key in words, the likeliest first; each wording once."""
    readings: dict[str, Corrections] = {}
    for other in result.offers:
        if words := reading_words(other, t):
            readings.setdefault(capitalised(words), other.corrections)
    return readings


def write_plain(value: Any) -> Any:
    """Return a value of :mod:`bot.client.types` for JSON, without fields that are unset."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {field.name: write_plain(item) for field, item in fields if item != field.default}
    if isinstance(value, tuple):
        return [write_plain(item) for item in value]
    return value


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except (ValidationError, RecursionError) as error:
        raise BotError(BotErrorCode.INVALID_REQUEST) from error
