"""What the bot asks of the service and hears from it, as plain values.

The enumerations are those of ``proto/notabot/v1``: ``Preset.VOICE`` is ``PRESET_VOICE``, and so on.
A test holds them, and the fields of the options, equal to the contract's.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

Mode = Literal["major", "minor"]


class Preset(enum.StrEnum):
    """The kind of recording."""

    AUTO = "auto"
    VOICE = "voice"
    PIANO = "piano"
    SONG = "song"


class View(enum.StrEnum):
    """What of the music is written down."""

    FULL = "full"
    MELODY = "melody"
    LEAD_SHEET = "lead_sheet"
    PIANO = "piano"
    CHORDS = "chords"


class Paper(enum.StrEnum):
    """What the PDF is printed on."""

    A4 = "a4"
    LETTER = "letter"


class Format(enum.StrEnum):
    """A kind of file to ask for."""

    JSON = "json"
    MIDI = "midi"
    MUSICXML = "musicxml"
    PNG = "png"
    PDF = "pdf"
    ROLL = "roll"
    PREVIEW = "preview"
    STEMS = "stems"


class Stage(enum.StrEnum):
    """What the service does just now."""

    DECODE = "decode"
    TUNING = "tuning"
    ROUTING = "routing"
    SEPARATION = "separation"
    TAGGING = "tagging"
    CHORDS = "chords"
    BEATS = "beats"
    KEY = "key"
    NOTATION = "notation"
    ENGRAVING = "engraving"
    CONTINUATION = "continuation"


CHAT_FORMATS: Final = (Format.PNG, Format.PDF, Format.MIDI, Format.MUSICXML)
"""What a chat is sent at once; the roll, the preview and the stems come when asked for."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a result becomes files."""

    view: View = View.FULL
    transpose_semitones: int = 0
    formats: tuple[Format, ...] = CHAT_FORMATS
    title: str = ""
    simple_chords: bool = False
    paper: Paper = Paper.A4


@dataclass(frozen=True, slots=True)
class ContinueOptions:
    """How the music goes on; ``boldness`` from -1, calmest, to 1, boldest."""

    measures: int = 8
    seed: int = 0
    boldness: float = 0.0
    render: RenderOptions = field(default_factory=RenderOptions)

    def written_as(self, formats: tuple[Format, ...]) -> ContinueOptions:
        """Return the same in other formats."""
        return replace(self, render=replace(self.render, formats=formats))


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; ``position`` others are before it."""

    position: int


@dataclass(frozen=True, slots=True)
class Progress:
    """``fraction`` of the whole request is done, in [0, 1]; an unknown ``stage`` is None."""

    stage: Stage | None
    fraction: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of the result, whole."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Key:
    """A key: a tonic such as ``"F#"`` or ``"Bb"``, and a mode."""

    tonic: str
    mode: Mode


@dataclass(frozen=True, slots=True, order=True)
class Beat:
    """A beat; ``position`` 1 is the downbeat."""

    time_s: float
    position: int


@dataclass(frozen=True, slots=True, order=True)
class ChordSegment:
    """A chord in Harte syntax, ``N`` for none."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Result:
    """What was heard, and what the artefacts show of it."""

    result_id: str
    duration_s: float
    tempo_bpm: float
    time_signature: str
    key: Key
    rendered_key: Key
    beats: tuple[Beat, ...]
    chords: tuple[ChordSegment, ...]
    models: Mapping[str, str]
    preset: Preset
    view: View
    transpose_semitones: int
    simple_chords: bool = False


Event = Queued | Progress | Artifact | Result


class ModelState(enum.StrEnum):
    """Whether a model can serve."""

    UNKNOWN = "unknown"
    NOT_FETCHED = "not_fetched"
    AVAILABLE = "available"
    LOADING = "loading"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Model:
    """An entry of the service's manifest."""

    task: str
    name: str
    version: str
    licence: str
    state: ModelState
    figures: Mapping[str, float]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How the service is."""

    version: str
    device: str
    memory_bytes: int
    device_memory_bytes: int
    queue_length: int
    queue_limit: int
    busy: bool
    ready: bool
    uptime_s: float
    completed: int
    failed: int
    active: Mapping[str, str]
    versions: Mapping[str, str]
