"""Requests to the service and its answers, as plain values.

The enumerations are those of ``proto/notabot/v1``: ``Preset.VOICE`` is ``PRESET_VOICE``, and so on.
A test checks that they, and the fields of the options, match the contract.
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
    """Which part of the music is written down, and how."""

    FULL = "full"
    MELODY = "melody"
    LEAD_SHEET = "lead_sheet"
    PIANO = "piano"
    CHORDS = "chords"


class Paper(enum.StrEnum):
    """The paper that PDFs are laid out for."""

    A4 = "a4"
    LETTER = "letter"


class Pitches(enum.StrEnum):
    """Which pitches are written for singers."""

    MEANT = "meant"
    SUNG = "sung"


class Format(enum.StrEnum):
    """A format to request."""

    JSON = "json"
    MIDI = "midi"
    MUSICXML = "musicxml"
    PNG = "png"
    PDF = "pdf"
    ROLL = "roll"
    PREVIEW = "preview"
    STEMS = "stems"


class Stage(enum.StrEnum):
    """A step of the service's pipeline."""

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


FILE_FORMATS: Final = (Format.PDF, Format.MIDI, Format.MUSICXML)
"""Formats of the files that people keep, print or open in an editor."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a result is written to files.

    ``page`` is the only page to draw, from 1; 0 stands for all. With ``choose_view``, the service
    chooses the view by what it heard.
    """

    view: View = View.FULL
    transpose_semitones: int = 0
    formats: tuple[Format, ...] = (Format.PNG,)
    title: str = ""
    simple_chords: bool = False
    paper: Paper = Paper.A4
    pitches: Pitches = Pitches.MEANT
    page: int = 0
    choose_view: bool = False


@dataclass(frozen=True, slots=True)
class ContinueOptions:
    """How to continue a result; ``boldness`` is in [-1, 1], from calmest to boldest."""

    measures: int = 8
    seed: int = 0
    boldness: float = 0.0
    render: RenderOptions = field(default_factory=RenderOptions)

    def written_as(self, formats: tuple[Format, ...]) -> ContinueOptions:
        """Return a copy with other formats."""
        return replace(self, render=replace(self.render, formats=formats))


@dataclass(frozen=True, slots=True)
class JobContext:
    """What makes a transcription a job: whose it is, its key, and the bot's notes about it."""

    bot: str
    key: str
    context: str


class JobState(enum.StrEnum):
    """How far a job has come."""

    UNKNOWN = "unknown"
    UPLOADING = "uploading"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job that is not closed; ``attended`` if a call attends to it now."""

    key: str
    context: str
    state: JobState
    attended: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job is accepted; ``kept`` if it outlives the call. The context may be an earlier one."""

    context: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits behind ``position`` others."""

    position: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of the whole request: ``fraction`` in [0, 1]; an unknown ``stage`` is None."""

    stage: Stage | None
    fraction: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """A complete file of the result."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Key:
    """A key: a tonic as it is written, such as ``"F#"`` or ``"Bb"``, and a mode."""

    tonic: str
    mode: Mode


@dataclass(frozen=True, slots=True, order=True)
class Beat:
    """A beat; ``position`` 1 is the downbeat."""

    time_s: float
    position: int


@dataclass(frozen=True, slots=True, order=True)
class ChordSegment:
    """A chord; ``text`` is its name as the pages write it, ``"E7/G♯"``, empty for none."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """The transcription, and how its artefacts were rendered.

    ``key`` is the key as heard, ``rendered_key`` the one that the artefacts are in. Tempo, time
    signature and chords are written as in the artefacts. ``sung_differs`` means that
    :attr:`Pitches.SUNG` writes a note differently from :attr:`Pitches.MEANT`, ``kept_briefly`` that
    the service could not store the result, and forgets it sooner than others. ``pages`` is the
    number of pages, of which one may have been drawn, and 0 if none was requested.
    """

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
    pitches: Pitches = Pitches.MEANT
    sung_differs: bool = False
    kept_briefly: bool = False
    pages: int = 0


Event = Accepted | Queued | Progress | Artifact | Result


class ModelState(enum.StrEnum):
    """Whether a model is available or in use."""

    UNKNOWN = "unknown"
    NOT_FETCHED = "not_fetched"
    AVAILABLE = "available"
    LOADING = "loading"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the service's manifest."""

    task: str
    name: str
    version: str
    licence: str
    state: ModelState
    figures: Mapping[str, float]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The service's state."""

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
