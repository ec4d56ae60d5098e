from notabot.v1 import transcription_pb2 as _transcription_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SoundEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOUND_ENCODING_UNSPECIFIED: _ClassVar[SoundEncoding]
    SOUND_ENCODING_FLAC: _ClassVar[SoundEncoding]
SOUND_ENCODING_UNSPECIFIED: SoundEncoding
SOUND_ENCODING_FLAC: SoundEncoding

class EngraveRequest(_message.Message):
    __slots__ = ("result_id", "render", "screen")
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    RENDER_FIELD_NUMBER: _ClassVar[int]
    SCREEN_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    render: _transcription_pb2.RenderOptions
    screen: Screen
    def __init__(self, result_id: _Optional[str] = ..., render: _Optional[_Union[_transcription_pb2.RenderOptions, _Mapping]] = ..., screen: _Optional[_Union[Screen, _Mapping]] = ...) -> None: ...

class Screen(_message.Message):
    __slots__ = ("width_px", "staff_height_px")
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    STAFF_HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    staff_height_px: float
    def __init__(self, width_px: _Optional[int] = ..., staff_height_px: _Optional[float] = ...) -> None: ...

class EngraveEvent(_message.Message):
    __slots__ = ("sheet", "page")
    SHEET_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    sheet: Sheet
    page: SheetPage
    def __init__(self, sheet: _Optional[_Union[Sheet, _Mapping]] = ..., page: _Optional[_Union[SheetPage, _Mapping]] = ...) -> None: ...

class Sheet(_message.Message):
    __slots__ = ("result", "measures", "notes", "parts", "clock", "chords", "sounds", "duration_s", "fonts", "glyphs")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    CHORDS_FIELD_NUMBER: _ClassVar[int]
    SOUNDS_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    FONTS_FIELD_NUMBER: _ClassVar[int]
    GLYPHS_FIELD_NUMBER: _ClassVar[int]
    result: _transcription_pb2.Result
    measures: _containers.RepeatedCompositeFieldContainer[SheetMeasure]
    notes: _containers.RepeatedCompositeFieldContainer[SheetNote]
    parts: _containers.RepeatedCompositeFieldContainer[SheetPart]
    clock: _containers.RepeatedCompositeFieldContainer[ClockPoint]
    chords: _containers.RepeatedCompositeFieldContainer[SheetChord]
    sounds: _containers.RepeatedScalarFieldContainer[str]
    duration_s: float
    fonts: _containers.RepeatedCompositeFieldContainer[SheetFont]
    glyphs: str
    def __init__(self, result: _Optional[_Union[_transcription_pb2.Result, _Mapping]] = ..., measures: _Optional[_Iterable[_Union[SheetMeasure, _Mapping]]] = ..., notes: _Optional[_Iterable[_Union[SheetNote, _Mapping]]] = ..., parts: _Optional[_Iterable[_Union[SheetPart, _Mapping]]] = ..., clock: _Optional[_Iterable[_Union[ClockPoint, _Mapping]]] = ..., chords: _Optional[_Iterable[_Union[SheetChord, _Mapping]]] = ..., sounds: _Optional[_Iterable[str]] = ..., duration_s: _Optional[float] = ..., fonts: _Optional[_Iterable[_Union[SheetFont, _Mapping]]] = ..., glyphs: _Optional[str] = ...) -> None: ...

class SheetMeasure(_message.Message):
    __slots__ = ("number", "id", "page", "start", "end", "fifths")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    FIFTHS_FIELD_NUMBER: _ClassVar[int]
    number: str
    id: str
    page: int
    start: float
    end: float
    fifths: int
    def __init__(self, number: _Optional[str] = ..., id: _Optional[str] = ..., page: _Optional[int] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., fifths: _Optional[int] = ...) -> None: ...

class SheetNote(_message.Message):
    __slots__ = ("ids", "note", "part", "pitch", "start", "duration", "velocity")
    IDS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    PITCH_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    VELOCITY_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    note: str
    part: str
    pitch: int
    start: float
    duration: float
    velocity: int
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., note: _Optional[str] = ..., part: _Optional[str] = ..., pitch: _Optional[int] = ..., start: _Optional[float] = ..., duration: _Optional[float] = ..., velocity: _Optional[int] = ...) -> None: ...

class SheetPart(_message.Message):
    __slots__ = ("id", "name", "program", "is_drum", "staves")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    IS_DRUM_FIELD_NUMBER: _ClassVar[int]
    STAVES_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    program: int
    is_drum: bool
    staves: int
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., program: _Optional[int] = ..., is_drum: _Optional[bool] = ..., staves: _Optional[int] = ...) -> None: ...

class ClockPoint(_message.Message):
    __slots__ = ("quarters", "time_s")
    QUARTERS_FIELD_NUMBER: _ClassVar[int]
    TIME_S_FIELD_NUMBER: _ClassVar[int]
    quarters: float
    time_s: float
    def __init__(self, quarters: _Optional[float] = ..., time_s: _Optional[float] = ...) -> None: ...

class SheetChord(_message.Message):
    __slots__ = ("start", "text")
    START_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    start: float
    text: str
    def __init__(self, start: _Optional[float] = ..., text: _Optional[str] = ...) -> None: ...

class SheetFont(_message.Message):
    __slots__ = ("family", "is_bold", "is_italic", "woff2")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    IS_BOLD_FIELD_NUMBER: _ClassVar[int]
    IS_ITALIC_FIELD_NUMBER: _ClassVar[int]
    WOFF2_FIELD_NUMBER: _ClassVar[int]
    family: str
    is_bold: bool
    is_italic: bool
    woff2: bytes
    def __init__(self, family: _Optional[str] = ..., is_bold: _Optional[bool] = ..., is_italic: _Optional[bool] = ..., woff2: _Optional[bytes] = ...) -> None: ...

class SheetPage(_message.Message):
    __slots__ = ("svg",)
    SVG_FIELD_NUMBER: _ClassVar[int]
    svg: str
    def __init__(self, svg: _Optional[str] = ...) -> None: ...

class FetchSoundRequest(_message.Message):
    __slots__ = ("result_id", "name", "encoding")
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    result_id: str
    name: str
    encoding: SoundEncoding
    def __init__(self, result_id: _Optional[str] = ..., name: _Optional[str] = ..., encoding: _Optional[_Union[SoundEncoding, str]] = ...) -> None: ...

class SoundChunk(_message.Message):
    __slots__ = ("media_type", "size_bytes", "data")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    size_bytes: int
    data: bytes
    def __init__(self, media_type: _Optional[str] = ..., size_bytes: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...
