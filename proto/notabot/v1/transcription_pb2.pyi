from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Preset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRESET_AUTO: _ClassVar[Preset]
    PRESET_VOICE: _ClassVar[Preset]
    PRESET_PIANO: _ClassVar[Preset]
    PRESET_SONG: _ClassVar[Preset]
    PRESET_GUITAR: _ClassVar[Preset]
    PRESET_SOLO: _ClassVar[Preset]
    PRESET_ENSEMBLE: _ClassVar[Preset]

class View(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VIEW_FULL: _ClassVar[View]
    VIEW_MELODY: _ClassVar[View]
    VIEW_LEAD_SHEET: _ClassVar[View]
    VIEW_PIANO: _ClassVar[View]
    VIEW_CHORDS: _ClassVar[View]

class Format(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORMAT_UNSPECIFIED: _ClassVar[Format]
    FORMAT_JSON: _ClassVar[Format]
    FORMAT_MIDI: _ClassVar[Format]
    FORMAT_MUSICXML: _ClassVar[Format]
    FORMAT_PNG: _ClassVar[Format]
    FORMAT_PDF: _ClassVar[Format]
    FORMAT_ROLL: _ClassVar[Format]
    FORMAT_PREVIEW: _ClassVar[Format]
    FORMAT_STEMS: _ClassVar[Format]

class Paper(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAPER_A4: _ClassVar[Paper]
    PAPER_LETTER: _ClassVar[Paper]

class Pitches(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PITCHES_MEANT: _ClassVar[Pitches]
    PITCHES_SUNG: _ClassVar[Pitches]

class Spelling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPELLING_UNSPECIFIED: _ClassVar[Spelling]
    SPELLING_RAISED: _ClassVar[Spelling]
    SPELLING_LOWERED: _ClassVar[Spelling]

class BarUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BAR_UNIT_BEAT: _ClassVar[BarUnit]
    BAR_UNIT_HALF_BEAT: _ClassVar[BarUnit]
    BAR_UNIT_QUARTER: _ClassVar[BarUnit]
    BAR_UNIT_EIGHTH: _ClassVar[BarUnit]
    BAR_UNIT_SIXTEENTH: _ClassVar[BarUnit]

class FinestValue(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINEST_VALUE_UNSPECIFIED: _ClassVar[FinestValue]
    FINEST_VALUE_QUARTER: _ClassVar[FinestValue]
    FINEST_VALUE_EIGHTH: _ClassVar[FinestValue]
    FINEST_VALUE_SIXTEENTH: _ClassVar[FinestValue]

class Triplets(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIPLETS_UNSPECIFIED: _ClassVar[Triplets]
    TRIPLETS_ALLOWED: _ClassVar[Triplets]
    TRIPLETS_NOT_ALLOWED: _ClassVar[Triplets]

class Feel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEEL_UNSPECIFIED: _ClassVar[Feel]
    FEEL_STRAIGHT: _ClassVar[Feel]
    FEEL_SWING: _ClassVar[Feel]

class Clef(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLEF_UNSPECIFIED: _ClassVar[Clef]
    CLEF_TREBLE: _ClassVar[Clef]
    CLEF_TREBLE_8VB: _ClassVar[Clef]
    CLEF_ALTO: _ClassVar[Clef]
    CLEF_TENOR: _ClassVar[Clef]
    CLEF_BASS: _ClassVar[Clef]
    CLEF_BASS_8VB: _ClassVar[Clef]

class Correctable(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CORRECTABLE_UNSPECIFIED: _ClassVar[Correctable]
    CORRECTABLE_METRE: _ClassVar[Correctable]
    CORRECTABLE_BEAT_SCALE: _ClassVar[Correctable]
    CORRECTABLE_FIRST_BEAT: _ClassVar[Correctable]
    CORRECTABLE_KEY: _ClassVar[Correctable]
    CORRECTABLE_FINEST_VALUE: _ClassVar[Correctable]
    CORRECTABLE_TRIPLETS: _ClassVar[Correctable]
    CORRECTABLE_FEEL: _ClassVar[Correctable]
    CORRECTABLE_PARTS: _ClassVar[Correctable]
    CORRECTABLE_BARS: _ClassVar[Correctable]
    CORRECTABLE_EDITS: _ClassVar[Correctable]
    CORRECTABLE_BAR_MOVES: _ClassVar[Correctable]

class Style(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STYLE_AUTO: _ClassVar[Style]
    STYLE_POP: _ClassVar[Style]
    STYLE_CLASSICAL: _ClassVar[Style]
    STYLE_FOLK: _ClassVar[Style]

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_DECODE: _ClassVar[Stage]
    STAGE_TUNING: _ClassVar[Stage]
    STAGE_ROUTING: _ClassVar[Stage]
    STAGE_SEPARATION: _ClassVar[Stage]
    STAGE_TAGGING: _ClassVar[Stage]
    STAGE_CHORDS: _ClassVar[Stage]
    STAGE_BEATS: _ClassVar[Stage]
    STAGE_KEY: _ClassVar[Stage]
    STAGE_NOTATION: _ClassVar[Stage]
    STAGE_ENGRAVING: _ClassVar[Stage]
    STAGE_CONTINUATION: _ClassVar[Stage]

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_MAJOR: _ClassVar[Mode]
    MODE_MINOR: _ClassVar[Mode]
PRESET_AUTO: Preset
PRESET_VOICE: Preset
PRESET_PIANO: Preset
PRESET_SONG: Preset
PRESET_GUITAR: Preset
PRESET_SOLO: Preset
PRESET_ENSEMBLE: Preset
VIEW_FULL: View
VIEW_MELODY: View
VIEW_LEAD_SHEET: View
VIEW_PIANO: View
VIEW_CHORDS: View
FORMAT_UNSPECIFIED: Format
FORMAT_JSON: Format
FORMAT_MIDI: Format
FORMAT_MUSICXML: Format
FORMAT_PNG: Format
FORMAT_PDF: Format
FORMAT_ROLL: Format
FORMAT_PREVIEW: Format
FORMAT_STEMS: Format
PAPER_A4: Paper
PAPER_LETTER: Paper
PITCHES_MEANT: Pitches
PITCHES_SUNG: Pitches
SPELLING_UNSPECIFIED: Spelling
SPELLING_RAISED: Spelling
SPELLING_LOWERED: Spelling
BAR_UNIT_BEAT: BarUnit
BAR_UNIT_HALF_BEAT: BarUnit
BAR_UNIT_QUARTER: BarUnit
BAR_UNIT_EIGHTH: BarUnit
BAR_UNIT_SIXTEENTH: BarUnit
FINEST_VALUE_UNSPECIFIED: FinestValue
FINEST_VALUE_QUARTER: FinestValue
FINEST_VALUE_EIGHTH: FinestValue
FINEST_VALUE_SIXTEENTH: FinestValue
TRIPLETS_UNSPECIFIED: Triplets
TRIPLETS_ALLOWED: Triplets
TRIPLETS_NOT_ALLOWED: Triplets
FEEL_UNSPECIFIED: Feel
FEEL_STRAIGHT: Feel
FEEL_SWING: Feel
CLEF_UNSPECIFIED: Clef
CLEF_TREBLE: Clef
CLEF_TREBLE_8VB: Clef
CLEF_ALTO: Clef
CLEF_TENOR: Clef
CLEF_BASS: Clef
CLEF_BASS_8VB: Clef
CORRECTABLE_UNSPECIFIED: Correctable
CORRECTABLE_METRE: Correctable
CORRECTABLE_BEAT_SCALE: Correctable
CORRECTABLE_FIRST_BEAT: Correctable
CORRECTABLE_KEY: Correctable
CORRECTABLE_FINEST_VALUE: Correctable
CORRECTABLE_TRIPLETS: Correctable
CORRECTABLE_FEEL: Correctable
CORRECTABLE_PARTS: Correctable
CORRECTABLE_BARS: Correctable
CORRECTABLE_EDITS: Correctable
CORRECTABLE_BAR_MOVES: Correctable
STYLE_AUTO: Style
STYLE_POP: Style
STYLE_CLASSICAL: Style
STYLE_FOLK: Style
STAGE_UNSPECIFIED: Stage
STAGE_DECODE: Stage
STAGE_TUNING: Stage
STAGE_ROUTING: Stage
STAGE_SEPARATION: Stage
STAGE_TAGGING: Stage
STAGE_CHORDS: Stage
STAGE_BEATS: Stage
STAGE_KEY: Stage
STAGE_NOTATION: Stage
STAGE_ENGRAVING: Stage
STAGE_CONTINUATION: Stage
MODE_MAJOR: Mode
MODE_MINOR: Mode

class TranscribeRequest(_message.Message):
    __slots__ = ("options", "audio_chunk", "complete")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CHUNK_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    options: TranscribeOptions
    audio_chunk: bytes
    complete: UploadComplete
    def __init__(self, options: _Optional[_Union[TranscribeOptions, _Mapping]] = ..., audio_chunk: _Optional[bytes] = ..., complete: _Optional[_Union[UploadComplete, _Mapping]] = ...) -> None: ...

class UploadComplete(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TranscribeOptions(_message.Message):
    __slots__ = ("preset", "render", "job")
    PRESET_FIELD_NUMBER: _ClassVar[int]
    RENDER_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    preset: Preset
    render: RenderOptions
    job: JobContext
    def __init__(self, preset: _Optional[_Union[Preset, str]] = ..., render: _Optional[_Union[RenderOptions, _Mapping]] = ..., job: _Optional[_Union[JobContext, _Mapping]] = ...) -> None: ...

class JobContext(_message.Message):
    __slots__ = ("bot", "key", "context")
    BOT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    bot: str
    key: str
    context: str
    def __init__(self, bot: _Optional[str] = ..., key: _Optional[str] = ..., context: _Optional[str] = ...) -> None: ...

class RenderOptions(_message.Message):
    __slots__ = ("view", "transpose_semitones", "formats", "title", "simple_chords", "paper", "pitches", "corrections", "page", "choose_view", "language", "adjustments", "transpose_to")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    TRANSPOSE_SEMITONES_FIELD_NUMBER: _ClassVar[int]
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SIMPLE_CHORDS_FIELD_NUMBER: _ClassVar[int]
    PAPER_FIELD_NUMBER: _ClassVar[int]
    PITCHES_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    CHOOSE_VIEW_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    ADJUSTMENTS_FIELD_NUMBER: _ClassVar[int]
    TRANSPOSE_TO_FIELD_NUMBER: _ClassVar[int]
    view: View
    transpose_semitones: int
    formats: _containers.RepeatedScalarFieldContainer[Format]
    title: str
    simple_chords: bool
    paper: Paper
    pitches: Pitches
    corrections: Corrections
    page: int
    choose_view: bool
    language: str
    adjustments: Adjustments
    transpose_to: NamedKey
    def __init__(self, view: _Optional[_Union[View, str]] = ..., transpose_semitones: _Optional[int] = ..., formats: _Optional[_Iterable[_Union[Format, str]]] = ..., title: _Optional[str] = ..., simple_chords: _Optional[bool] = ..., paper: _Optional[_Union[Paper, str]] = ..., pitches: _Optional[_Union[Pitches, str]] = ..., corrections: _Optional[_Union[Corrections, _Mapping]] = ..., page: _Optional[int] = ..., choose_view: _Optional[bool] = ..., language: _Optional[str] = ..., adjustments: _Optional[_Union[Adjustments, _Mapping]] = ..., transpose_to: _Optional[_Union[NamedKey, _Mapping]] = ...) -> None: ...

class Corrections(_message.Message):
    __slots__ = ("time_signature", "beat_scale", "first_beat", "key", "finest_value", "triplets", "feel", "parts", "bars", "tempo_bpm", "as_heard", "edits", "bar_moves")
    TIME_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    BEAT_SCALE_FIELD_NUMBER: _ClassVar[int]
    FIRST_BEAT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FINEST_VALUE_FIELD_NUMBER: _ClassVar[int]
    TRIPLETS_FIELD_NUMBER: _ClassVar[int]
    FEEL_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    BARS_FIELD_NUMBER: _ClassVar[int]
    TEMPO_BPM_FIELD_NUMBER: _ClassVar[int]
    AS_HEARD_FIELD_NUMBER: _ClassVar[int]
    EDITS_FIELD_NUMBER: _ClassVar[int]
    BAR_MOVES_FIELD_NUMBER: _ClassVar[int]
    time_signature: str
    beat_scale: float
    first_beat: float
    key: Key
    finest_value: FinestValue
    triplets: Triplets
    feel: Feel
    parts: _containers.RepeatedCompositeFieldContainer[PartCorrection]
    bars: BarRange
    tempo_bpm: float
    as_heard: _containers.RepeatedScalarFieldContainer[Correctable]
    edits: _containers.RepeatedCompositeFieldContainer[ScoreEdit]
    bar_moves: _containers.RepeatedCompositeFieldContainer[BarMove]
    def __init__(self, time_signature: _Optional[str] = ..., beat_scale: _Optional[float] = ..., first_beat: _Optional[float] = ..., key: _Optional[_Union[Key, _Mapping]] = ..., finest_value: _Optional[_Union[FinestValue, str]] = ..., triplets: _Optional[_Union[Triplets, str]] = ..., feel: _Optional[_Union[Feel, str]] = ..., parts: _Optional[_Iterable[_Union[PartCorrection, _Mapping]]] = ..., bars: _Optional[_Union[BarRange, _Mapping]] = ..., tempo_bpm: _Optional[float] = ..., as_heard: _Optional[_Iterable[_Union[Correctable, str]]] = ..., edits: _Optional[_Iterable[_Union[ScoreEdit, _Mapping]]] = ..., bar_moves: _Optional[_Iterable[_Union[BarMove, _Mapping]]] = ...) -> None: ...

class ScoreEdit(_message.Message):
    __slots__ = ("move", "pitch", "duration", "delete", "split", "join", "add", "chord", "delete_chord")
    MOVE_FIELD_NUMBER: _ClassVar[int]
    PITCH_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    CHORD_FIELD_NUMBER: _ClassVar[int]
    DELETE_CHORD_FIELD_NUMBER: _ClassVar[int]
    move: MoveNote
    pitch: SetPitch
    duration: SetDuration
    delete: DeleteNote
    split: SplitNote
    join: JoinNote
    add: AddNote
    chord: SetChord
    delete_chord: DeleteChord
    def __init__(self, move: _Optional[_Union[MoveNote, _Mapping]] = ..., pitch: _Optional[_Union[SetPitch, _Mapping]] = ..., duration: _Optional[_Union[SetDuration, _Mapping]] = ..., delete: _Optional[_Union[DeleteNote, _Mapping]] = ..., split: _Optional[_Union[SplitNote, _Mapping]] = ..., join: _Optional[_Union[JoinNote, _Mapping]] = ..., add: _Optional[_Union[AddNote, _Mapping]] = ..., chord: _Optional[_Union[SetChord, _Mapping]] = ..., delete_chord: _Optional[_Union[DeleteChord, _Mapping]] = ...) -> None: ...

class MoveNote(_message.Message):
    __slots__ = ("note", "steps", "semitones")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SEMITONES_FIELD_NUMBER: _ClassVar[int]
    note: str
    steps: int
    semitones: int
    def __init__(self, note: _Optional[str] = ..., steps: _Optional[int] = ..., semitones: _Optional[int] = ...) -> None: ...

class SetPitch(_message.Message):
    __slots__ = ("note", "pitch", "spelling")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PITCH_FIELD_NUMBER: _ClassVar[int]
    SPELLING_FIELD_NUMBER: _ClassVar[int]
    note: str
    pitch: int
    spelling: Spelling
    def __init__(self, note: _Optional[str] = ..., pitch: _Optional[int] = ..., spelling: _Optional[_Union[Spelling, str]] = ...) -> None: ...

class SetDuration(_message.Message):
    __slots__ = ("note", "quarters")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    QUARTERS_FIELD_NUMBER: _ClassVar[int]
    note: str
    quarters: float
    def __init__(self, note: _Optional[str] = ..., quarters: _Optional[float] = ...) -> None: ...

class DeleteNote(_message.Message):
    __slots__ = ("note",)
    NOTE_FIELD_NUMBER: _ClassVar[int]
    note: str
    def __init__(self, note: _Optional[str] = ...) -> None: ...

class SplitNote(_message.Message):
    __slots__ = ("note", "quarters")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    QUARTERS_FIELD_NUMBER: _ClassVar[int]
    note: str
    quarters: float
    def __init__(self, note: _Optional[str] = ..., quarters: _Optional[float] = ...) -> None: ...

class JoinNote(_message.Message):
    __slots__ = ("note",)
    NOTE_FIELD_NUMBER: _ClassVar[int]
    note: str
    def __init__(self, note: _Optional[str] = ...) -> None: ...

class AddNote(_message.Message):
    __slots__ = ("part", "time_s", "quarters", "pitch", "spelling", "staff")
    PART_FIELD_NUMBER: _ClassVar[int]
    TIME_S_FIELD_NUMBER: _ClassVar[int]
    QUARTERS_FIELD_NUMBER: _ClassVar[int]
    PITCH_FIELD_NUMBER: _ClassVar[int]
    SPELLING_FIELD_NUMBER: _ClassVar[int]
    STAFF_FIELD_NUMBER: _ClassVar[int]
    part: str
    time_s: float
    quarters: float
    pitch: int
    spelling: Spelling
    staff: int
    def __init__(self, part: _Optional[str] = ..., time_s: _Optional[float] = ..., quarters: _Optional[float] = ..., pitch: _Optional[int] = ..., spelling: _Optional[_Union[Spelling, str]] = ..., staff: _Optional[int] = ...) -> None: ...

class SetChord(_message.Message):
    __slots__ = ("time_s", "text", "label")
    TIME_S_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    time_s: float
    text: str
    label: str
    def __init__(self, time_s: _Optional[float] = ..., text: _Optional[str] = ..., label: _Optional[str] = ...) -> None: ...

class DeleteChord(_message.Message):
    __slots__ = ("time_s",)
    TIME_S_FIELD_NUMBER: _ClassVar[int]
    time_s: float
    def __init__(self, time_s: _Optional[float] = ...) -> None: ...

class BarMove(_message.Message):
    __slots__ = ("from_beat", "beats")
    FROM_BEAT_FIELD_NUMBER: _ClassVar[int]
    BEATS_FIELD_NUMBER: _ClassVar[int]
    from_beat: float
    beats: float
    def __init__(self, from_beat: _Optional[float] = ..., beats: _Optional[float] = ...) -> None: ...

class Adjustments(_message.Message):
    __slots__ = ("rescale", "bar_shift", "key", "local_shifts")
    RESCALE_FIELD_NUMBER: _ClassVar[int]
    BAR_SHIFT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SHIFTS_FIELD_NUMBER: _ClassVar[int]
    rescale: float
    bar_shift: BarShift
    key: NamedKey
    local_shifts: _containers.RepeatedCompositeFieldContainer[LocalShift]
    def __init__(self, rescale: _Optional[float] = ..., bar_shift: _Optional[_Union[BarShift, _Mapping]] = ..., key: _Optional[_Union[NamedKey, _Mapping]] = ..., local_shifts: _Optional[_Iterable[_Union[LocalShift, _Mapping]]] = ...) -> None: ...

class LocalShift(_message.Message):
    __slots__ = ("from_bar", "shift")
    FROM_BAR_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    from_bar: int
    shift: BarShift
    def __init__(self, from_bar: _Optional[int] = ..., shift: _Optional[_Union[BarShift, _Mapping]] = ...) -> None: ...

class BarShift(_message.Message):
    __slots__ = ("count", "unit")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    count: int
    unit: BarUnit
    def __init__(self, count: _Optional[int] = ..., unit: _Optional[_Union[BarUnit, str]] = ...) -> None: ...

class NamedKey(_message.Message):
    __slots__ = ("tonic", "mode")
    TONIC_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    tonic: str
    mode: Mode
    def __init__(self, tonic: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class PartCorrection(_message.Message):
    __slots__ = ("id", "left_out", "name", "program", "clef")
    ID_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    CLEF_FIELD_NUMBER: _ClassVar[int]
    id: str
    left_out: bool
    name: str
    program: int
    clef: Clef
    def __init__(self, id: _Optional[str] = ..., left_out: _Optional[bool] = ..., name: _Optional[str] = ..., program: _Optional[int] = ..., clef: _Optional[_Union[Clef, str]] = ...) -> None: ...

class BarRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class RenderRequest(_message.Message):
    __slots__ = ("result_id", "render")
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    RENDER_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    render: RenderOptions
    def __init__(self, result_id: _Optional[str] = ..., render: _Optional[_Union[RenderOptions, _Mapping]] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("result_id", "render")
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    RENDER_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    render: RenderOptions
    def __init__(self, result_id: _Optional[str] = ..., render: _Optional[_Union[RenderOptions, _Mapping]] = ...) -> None: ...

class ForgetRequest(_message.Message):
    __slots__ = ("result_ids",)
    RESULT_IDS_FIELD_NUMBER: _ClassVar[int]
    result_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, result_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ForgetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ContinueRequest(_message.Message):
    __slots__ = ("result_id", "measures", "style", "seed", "boldness", "context_measures", "alternatives", "render")
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    BOLDNESS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_MEASURES_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    RENDER_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    measures: int
    style: Style
    seed: int
    boldness: float
    context_measures: int
    alternatives: int
    render: RenderOptions
    def __init__(self, result_id: _Optional[str] = ..., measures: _Optional[int] = ..., style: _Optional[_Union[Style, str]] = ..., seed: _Optional[int] = ..., boldness: _Optional[float] = ..., context_measures: _Optional[int] = ..., alternatives: _Optional[int] = ..., render: _Optional[_Union[RenderOptions, _Mapping]] = ...) -> None: ...

class TranscribeEvent(_message.Message):
    __slots__ = ("queued", "progress", "artifact", "result", "accepted")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    queued: Queued
    progress: StageProgress
    artifact: ArtifactChunk
    result: Result
    accepted: Accepted
    def __init__(self, queued: _Optional[_Union[Queued, _Mapping]] = ..., progress: _Optional[_Union[StageProgress, _Mapping]] = ..., artifact: _Optional[_Union[ArtifactChunk, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("context", "kept")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    context: str
    kept: bool
    def __init__(self, context: _Optional[str] = ..., kept: _Optional[bool] = ...) -> None: ...

class Queued(_message.Message):
    __slots__ = ("position", "remaining_s")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REMAINING_S_FIELD_NUMBER: _ClassVar[int]
    position: int
    remaining_s: float
    def __init__(self, position: _Optional[int] = ..., remaining_s: _Optional[float] = ...) -> None: ...

class StageProgress(_message.Message):
    __slots__ = ("stage", "stage_fraction", "overall_fraction", "remaining_s")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FRACTION_FIELD_NUMBER: _ClassVar[int]
    OVERALL_FRACTION_FIELD_NUMBER: _ClassVar[int]
    REMAINING_S_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    stage_fraction: float
    overall_fraction: float
    remaining_s: float
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., stage_fraction: _Optional[float] = ..., overall_fraction: _Optional[float] = ..., remaining_s: _Optional[float] = ...) -> None: ...

class ArtifactChunk(_message.Message):
    __slots__ = ("name", "media_type", "data", "last")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    name: str
    media_type: str
    data: bytes
    last: bool
    def __init__(self, name: _Optional[str] = ..., media_type: _Optional[str] = ..., data: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("result_id", "duration_s", "tuning_cents", "tempo_bpm", "time_signature", "key", "parts", "beats", "chords", "models", "timings_s", "preset", "render", "rendered_key", "sung_differs", "kept_briefly", "uncorrected_id", "previous_id", "corrections", "pages", "alternatives", "metre_probability", "key_probability", "first_beat", "beat_scale", "bar_count", "stray_parts", "metre_is_doubtful", "key_is_doubtful", "offers", "local_offers", "heard_as")
    class ModelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class TimingsSEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    TUNING_CENTS_FIELD_NUMBER: _ClassVar[int]
    TEMPO_BPM_FIELD_NUMBER: _ClassVar[int]
    TIME_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    BEATS_FIELD_NUMBER: _ClassVar[int]
    CHORDS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_S_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    RENDER_FIELD_NUMBER: _ClassVar[int]
    RENDERED_KEY_FIELD_NUMBER: _ClassVar[int]
    SUNG_DIFFERS_FIELD_NUMBER: _ClassVar[int]
    KEPT_BRIEFLY_FIELD_NUMBER: _ClassVar[int]
    UNCORRECTED_ID_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_ID_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    PAGES_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    METRE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    KEY_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    FIRST_BEAT_FIELD_NUMBER: _ClassVar[int]
    BEAT_SCALE_FIELD_NUMBER: _ClassVar[int]
    BAR_COUNT_FIELD_NUMBER: _ClassVar[int]
    STRAY_PARTS_FIELD_NUMBER: _ClassVar[int]
    METRE_IS_DOUBTFUL_FIELD_NUMBER: _ClassVar[int]
    KEY_IS_DOUBTFUL_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_OFFERS_FIELD_NUMBER: _ClassVar[int]
    HEARD_AS_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    duration_s: float
    tuning_cents: float
    tempo_bpm: float
    time_signature: str
    key: Key
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    beats: _containers.RepeatedCompositeFieldContainer[Beat]
    chords: _containers.RepeatedCompositeFieldContainer[ChordSegment]
    models: _containers.ScalarMap[str, str]
    timings_s: _containers.ScalarMap[str, float]
    preset: Preset
    render: RenderOptions
    rendered_key: Key
    sung_differs: bool
    kept_briefly: bool
    uncorrected_id: str
    previous_id: str
    corrections: Corrections
    pages: int
    alternatives: _containers.RepeatedCompositeFieldContainer[Alternative]
    metre_probability: float
    key_probability: float
    first_beat: float
    beat_scale: float
    bar_count: int
    stray_parts: _containers.RepeatedScalarFieldContainer[str]
    metre_is_doubtful: bool
    key_is_doubtful: bool
    offers: _containers.RepeatedCompositeFieldContainer[Offer]
    local_offers: _containers.RepeatedCompositeFieldContainer[LocalOffer]
    heard_as: _containers.RepeatedCompositeFieldContainer[PresetProbability]
    def __init__(self, result_id: _Optional[str] = ..., duration_s: _Optional[float] = ..., tuning_cents: _Optional[float] = ..., tempo_bpm: _Optional[float] = ..., time_signature: _Optional[str] = ..., key: _Optional[_Union[Key, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., beats: _Optional[_Iterable[_Union[Beat, _Mapping]]] = ..., chords: _Optional[_Iterable[_Union[ChordSegment, _Mapping]]] = ..., models: _Optional[_Mapping[str, str]] = ..., timings_s: _Optional[_Mapping[str, float]] = ..., preset: _Optional[_Union[Preset, str]] = ..., render: _Optional[_Union[RenderOptions, _Mapping]] = ..., rendered_key: _Optional[_Union[Key, _Mapping]] = ..., sung_differs: _Optional[bool] = ..., kept_briefly: _Optional[bool] = ..., uncorrected_id: _Optional[str] = ..., previous_id: _Optional[str] = ..., corrections: _Optional[_Union[Corrections, _Mapping]] = ..., pages: _Optional[int] = ..., alternatives: _Optional[_Iterable[_Union[Alternative, _Mapping]]] = ..., metre_probability: _Optional[float] = ..., key_probability: _Optional[float] = ..., first_beat: _Optional[float] = ..., beat_scale: _Optional[float] = ..., bar_count: _Optional[int] = ..., stray_parts: _Optional[_Iterable[str]] = ..., metre_is_doubtful: _Optional[bool] = ..., key_is_doubtful: _Optional[bool] = ..., offers: _Optional[_Iterable[_Union[Offer, _Mapping]]] = ..., local_offers: _Optional[_Iterable[_Union[LocalOffer, _Mapping]]] = ..., heard_as: _Optional[_Iterable[_Union[PresetProbability, _Mapping]]] = ...) -> None: ...

class PresetProbability(_message.Message):
    __slots__ = ("preset", "probability")
    PRESET_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    preset: Preset
    probability: float
    def __init__(self, preset: _Optional[_Union[Preset, str]] = ..., probability: _Optional[float] = ...) -> None: ...

class Alternative(_message.Message):
    __slots__ = ("time_signature", "beat_scale", "first_beat", "key", "probability")
    TIME_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    BEAT_SCALE_FIELD_NUMBER: _ClassVar[int]
    FIRST_BEAT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    time_signature: str
    beat_scale: float
    first_beat: float
    key: Key
    probability: float
    def __init__(self, time_signature: _Optional[str] = ..., beat_scale: _Optional[float] = ..., first_beat: _Optional[float] = ..., key: _Optional[_Union[Key, _Mapping]] = ..., probability: _Optional[float] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("corrections", "time_signature", "rescale", "bar_shift", "tempo_bpm", "key", "probability")
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    TIME_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    RESCALE_FIELD_NUMBER: _ClassVar[int]
    BAR_SHIFT_FIELD_NUMBER: _ClassVar[int]
    TEMPO_BPM_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    corrections: Corrections
    time_signature: str
    rescale: float
    bar_shift: BarShift
    tempo_bpm: float
    key: Key
    probability: float
    def __init__(self, corrections: _Optional[_Union[Corrections, _Mapping]] = ..., time_signature: _Optional[str] = ..., rescale: _Optional[float] = ..., bar_shift: _Optional[_Union[BarShift, _Mapping]] = ..., tempo_bpm: _Optional[float] = ..., key: _Optional[_Union[Key, _Mapping]] = ..., probability: _Optional[float] = ...) -> None: ...

class LocalOffer(_message.Message):
    __slots__ = ("shift", "weight")
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    shift: LocalShift
    weight: float
    def __init__(self, shift: _Optional[_Union[LocalShift, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class Key(_message.Message):
    __slots__ = ("tonic", "mode")
    TONIC_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    tonic: str
    mode: Mode
    def __init__(self, tonic: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("id", "name", "program", "is_drum", "notes", "left_out")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    IS_DRUM_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    program: int
    is_drum: bool
    notes: _containers.RepeatedCompositeFieldContainer[NoteEvent]
    left_out: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., program: _Optional[int] = ..., is_drum: _Optional[bool] = ..., notes: _Optional[_Iterable[_Union[NoteEvent, _Mapping]]] = ..., left_out: _Optional[bool] = ...) -> None: ...

class NoteEvent(_message.Message):
    __slots__ = ("onset_s", "offset_s", "pitch", "velocity", "pitch_cents")
    ONSET_S_FIELD_NUMBER: _ClassVar[int]
    OFFSET_S_FIELD_NUMBER: _ClassVar[int]
    PITCH_FIELD_NUMBER: _ClassVar[int]
    VELOCITY_FIELD_NUMBER: _ClassVar[int]
    PITCH_CENTS_FIELD_NUMBER: _ClassVar[int]
    onset_s: float
    offset_s: float
    pitch: int
    velocity: int
    pitch_cents: float
    def __init__(self, onset_s: _Optional[float] = ..., offset_s: _Optional[float] = ..., pitch: _Optional[int] = ..., velocity: _Optional[int] = ..., pitch_cents: _Optional[float] = ...) -> None: ...

class Beat(_message.Message):
    __slots__ = ("time_s", "position")
    TIME_S_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    time_s: float
    position: int
    def __init__(self, time_s: _Optional[float] = ..., position: _Optional[int] = ...) -> None: ...

class ChordSegment(_message.Message):
    __slots__ = ("start_s", "end_s", "label", "text")
    START_S_FIELD_NUMBER: _ClassVar[int]
    END_S_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    start_s: float
    end_s: float
    label: str
    text: str
    def __init__(self, start_s: _Optional[float] = ..., end_s: _Optional[float] = ..., label: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...
