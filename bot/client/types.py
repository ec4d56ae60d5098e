"""Requests to the service and its answers, as plain values.

The enumerations are those of ``proto/notabot/v1``: ``Preset.VOICE`` is ``PRESET_VOICE``, and so on.
A test checks that they, and the fields of the options, match the contract.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal

from bot.client.edits import STRICT, ScoreEdit

Mode = Literal["major", "minor"]


class Preset(enum.StrEnum):
    """The kind of recording."""

    AUTO = "auto"
    VOICE = "voice"
    PIANO = "piano"
    SONG = "song"
    GUITAR = "guitar"
    SOLO = "solo"
    ENSEMBLE = "ensemble"


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


class FinestValue(enum.StrEnum):
    """The shortest notes to write."""

    QUARTER = "quarter"
    EIGHTH = "eighth"
    SIXTEENTH = "sixteenth"


class Triplets(enum.StrEnum):
    """Whether notes may be written as triplets."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not_allowed"


class Feel(enum.StrEnum):
    """How written eighths are to be played."""

    STRAIGHT = "straight"
    SWING = "swing"


class Clef(enum.StrEnum):
    """A clef for a part on one staff."""

    TREBLE = "treble"
    TREBLE_8VB = "treble_8vb"
    ALTO = "alto"
    TENOR = "tenor"
    BASS = "bass"
    BASS_8VB = "bass_8vb"


class BarUnit(enum.StrEnum):
    """What bar lines are moved by; a beat is what the metronome mark counts."""

    BEAT = "beat"
    HALF_BEAT = "half_beat"
    QUARTER = "quarter"
    EIGHTH = "eighth"
    SIXTEENTH = "sixteenth"


class Correctable(enum.StrEnum):
    """What can be put back to as heard."""

    METRE = "metre"
    BEAT_SCALE = "beat_scale"
    FIRST_BEAT = "first_beat"
    KEY = "key"
    FINEST_VALUE = "finest_value"
    TRIPLETS = "triplets"
    FEEL = "feel"
    PARTS = "parts"
    BARS = "bars"
    EDITS = "edits"
    BAR_MOVES = "bar_moves"


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
class Key:
    """A key: a tonic as it is written, such as ``"F#"`` or ``"Bb"``, and a mode."""

    __pydantic_config__: ClassVar = STRICT

    tonic: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class PartCorrection:
    """Corrections of one part; what is None or empty is as heard."""

    __pydantic_config__: ClassVar = STRICT

    id: str
    left_out: bool | None = None
    name: str = ""
    program: int | None = None
    clef: Clef | None = None


@dataclass(frozen=True, slots=True)
class BarRange:
    """Bars by their numbers on the page, both included."""

    __pydantic_config__: ClassVar = STRICT

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class BarMove:
    """The bar line nearest to a heard beat, and all later ones, later by some heard beats."""

    from_beat: float
    beats: float


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a reader puts right, in terms of the uncorrected result.

    Fields that are None, empty or 0 are as heard; in a request, they leave earlier corrections
    alone. ``beat_scale`` is a factor of the written values: 2 writes quarters as halves. With
    ``tempo_bpm`` instead, the service takes the scale whose tempo is nearest. ``first_beat`` is the
    number of a heard beat, from 1, at which bar 1 begins, or between two. ``as_heard`` takes
    earlier corrections back, and is never in a result. ``edits`` are all edits of notes and chords.
    """

    __pydantic_config__: ClassVar = STRICT

    time_signature: str = ""
    beat_scale: float = 0.0
    first_beat: float = 0.0
    key: Key | None = None
    finest_value: FinestValue | None = None
    triplets: Triplets | None = None
    feel: Feel | None = None
    parts: tuple[PartCorrection, ...] = ()
    bars: BarRange | None = None
    tempo_bpm: float = 0.0
    as_heard: tuple[Correctable, ...] = ()
    edits: tuple[ScoreEdit, ...] = ()
    bar_moves: tuple[BarMove, ...] = ()


@dataclass(frozen=True, slots=True)
class BarShift:
    """Bar lines moved to later by ``count`` units; to earlier if it is negative."""

    __pydantic_config__: ClassVar = STRICT

    count: int
    unit: BarUnit = BarUnit.BEAT


@dataclass(frozen=True, slots=True)
class LocalShift:
    """Bar lines moved from a bar of the page on."""

    from_bar: int
    shift: BarShift


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key by what is said of it; an empty tonic, or no mode, is left open."""

    __pydantic_config__: ClassVar = STRICT

    tonic: str = ""
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class Adjustments:
    """Corrections in terms of the page that is shown, which the service makes absolute.

    ``rescale`` is a factor of the page's values, or 0 to leave them. ``key`` is what the key is to
    be called on the page, transposed as it is requested.
    """

    __pydantic_config__: ClassVar = STRICT

    rescale: float = 0.0
    bar_shift: BarShift | None = None
    key: NamedKey | None = None
    local_shifts: tuple[LocalShift, ...] = ()


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a result is written to files.

    ``page`` is the only page to draw, from 1; 0 stands for all. With ``choose_view``, the service
    chooses the view by what it heard. ``corrections`` are added to those that the result has, and
    so are ``adjustments``. With ``transpose_to``, ``transpose_semitones`` are the present ones, and
    the service takes those that are nearest to them and lead to this key.
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
    language: str = "en"
    corrections: Corrections = Corrections()
    adjustments: Adjustments = Adjustments()
    transpose_to: NamedKey | None = None


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
    """The request waits behind ``position`` others.

    ``remaining_s`` is an estimate of the time until its result; None if unknown.
    """

    position: int
    remaining_s: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of the whole request: ``fraction`` in [0, 1]; an unknown ``stage`` is None.

    ``remaining_s`` is an estimate of the time until its result; None if unknown.
    """

    stage: Stage | None
    fraction: float
    remaining_s: float | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A complete file of the result."""

    name: str
    media_type: str
    data: bytes


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
class Part:
    """A part, with its name and General MIDI program as corrected."""

    id: str
    name: str
    program: int | None
    is_drum: bool
    left_out: bool


@dataclass(frozen=True, slots=True)
class Alternative:
    """A reading of rhythm and key, in terms of the uncorrected result.

    All fields but ``probability`` are those of corrections that write the page so.
    """

    time_signature: str
    beat_scale: float
    first_beat: float
    key: Key
    probability: float


@dataclass(frozen=True, slots=True)
class Offer:
    """A reading other than the page's, as a change of the page.

    ``corrections`` turn the page into it. An empty time signature, a factor of 1, and no shift or
    key are those of the page; a shift is given in the page's metre and values alone. ``tempo_bpm``
    is the tempo that the reading has, and ``key`` is transposed as the page.
    """

    corrections: Corrections
    tempo_bpm: float
    time_signature: str = ""
    rescale: float = 1.0
    bar_shift: BarShift | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The transcription, and how its artefacts were rendered.

    ``key`` is the key before transposition, ``rendered_key`` the one that the artefacts are in.
    Tempo, time signature, beats and chords are written as in the artefacts. ``sung_differs`` means
    that :attr:`Pitches.SUNG` writes a note differently from :attr:`Pitches.MEANT`, ``kept_briefly``
    that the service could not store the result, and forgets it sooner than others. ``pages`` is the
    number of pages, of which one may have been drawn, and 0 if none was requested.

    ``uncorrected_id`` is the id without corrections, ``previous_id`` the one before the latest
    correction, or empty; ``corrections`` are all that are in force. ``first_beat`` and
    ``beat_scale`` are those of the page, whether corrected or not, and ``bar_count`` is the number
    of full bars from which a range may be taken. ``metre_is_doubtful`` and ``key_is_doubtful`` say
    whether to mark them, and ``offers`` are other readings, in the order in which to offer them,
    as are ``local_offers``, where bar lines may have slipped.

    ``heard_as`` are the kinds that the recording may be of, the likeliest first; empty if its
    sender named the kind.

    ``stray_parts`` names parts that had too few notes to be written. ``tuning_cents`` is that of
    the recording, from A440.
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
    uncorrected_id: str = ""
    previous_id: str = ""
    corrections: Corrections = Corrections()
    alternatives: tuple[Alternative, ...] = ()
    parts: tuple[Part, ...] = ()
    first_beat: float = 1.0
    beat_scale: float = 1.0
    bar_count: int = 0
    metre_is_doubtful: bool = False
    key_is_doubtful: bool = False
    offers: tuple[Offer, ...] = ()
    local_offers: tuple[LocalShift, ...] = ()
    heard_as: tuple[Preset, ...] = ()
    stray_parts: tuple[str, ...] = ()
    tuning_cents: float = 0.0


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
