from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_CODE_UNSPECIFIED: _ClassVar[ErrorCode]
    AUDIO_EMPTY: _ClassVar[ErrorCode]
    AUDIO_UNREADABLE: _ClassVar[ErrorCode]
    AUDIO_NO_TRACK: _ClassVar[ErrorCode]
    AUDIO_TOO_LARGE: _ClassVar[ErrorCode]
    AUDIO_TOO_LONG: _ClassVar[ErrorCode]
    AUDIO_TOO_SHORT: _ClassVar[ErrorCode]
    AUDIO_SILENT: _ClassVar[ErrorCode]
    AUDIO_SAMPLE_RATE: _ClassVar[ErrorCode]
    SCORE_UNREADABLE: _ClassVar[ErrorCode]
    INVALID_OPTIONS: _ClassVar[ErrorCode]
    RESULT_EXPIRED: _ClassVar[ErrorCode]
    QUEUE_FULL: _ClassVar[ErrorCode]
    NOT_READY: _ClassVar[ErrorCode]
    SHUTTING_DOWN: _ClassVar[ErrorCode]
    CANCELLED: _ClassVar[ErrorCode]
    DEADLINE_EXCEEDED: _ClassVar[ErrorCode]
    UNAUTHENTICATED: _ClassVar[ErrorCode]
    MODEL_UNKNOWN: _ClassVar[ErrorCode]
    MODEL_NOT_FETCHED: _ClassVar[ErrorCode]
    MODEL_FETCH_FAILED: _ClassVar[ErrorCode]
    MODEL_REJECTED: _ClassVar[ErrorCode]
    INTERNAL: _ClassVar[ErrorCode]
    PREVIEW_UNAVAILABLE: _ClassVar[ErrorCode]
    STEMS_UNAVAILABLE: _ClassVar[ErrorCode]
    NOTHING_TO_CONTINUE: _ClassVar[ErrorCode]
    JOB_TAKEN: _ClassVar[ErrorCode]
    JOB_UNKNOWN: _ClassVar[ErrorCode]
    INVALID_CORRECTIONS: _ClassVar[ErrorCode]
    SOUND_UNAVAILABLE: _ClassVar[ErrorCode]
    NOTHING_HEARD: _ClassVar[ErrorCode]
ERROR_CODE_UNSPECIFIED: ErrorCode
AUDIO_EMPTY: ErrorCode
AUDIO_UNREADABLE: ErrorCode
AUDIO_NO_TRACK: ErrorCode
AUDIO_TOO_LARGE: ErrorCode
AUDIO_TOO_LONG: ErrorCode
AUDIO_TOO_SHORT: ErrorCode
AUDIO_SILENT: ErrorCode
AUDIO_SAMPLE_RATE: ErrorCode
SCORE_UNREADABLE: ErrorCode
INVALID_OPTIONS: ErrorCode
RESULT_EXPIRED: ErrorCode
QUEUE_FULL: ErrorCode
NOT_READY: ErrorCode
SHUTTING_DOWN: ErrorCode
CANCELLED: ErrorCode
DEADLINE_EXCEEDED: ErrorCode
UNAUTHENTICATED: ErrorCode
MODEL_UNKNOWN: ErrorCode
MODEL_NOT_FETCHED: ErrorCode
MODEL_FETCH_FAILED: ErrorCode
MODEL_REJECTED: ErrorCode
INTERNAL: ErrorCode
PREVIEW_UNAVAILABLE: ErrorCode
STEMS_UNAVAILABLE: ErrorCode
NOTHING_TO_CONTINUE: ErrorCode
JOB_TAKEN: ErrorCode
JOB_UNKNOWN: ErrorCode
INVALID_CORRECTIONS: ErrorCode
SOUND_UNAVAILABLE: ErrorCode
NOTHING_HEARD: ErrorCode
