"""The one tree of errors that the service raises.

Every error has a stable :class:`ErrorCode`, a cause in English for logs and API clients, and
parameters that a client needs to say the same in the user's own language. The codes equal the
names in ``proto/notabot/v1/errors.proto``; ``docs/errors.md`` explains each.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable names of everything that can go wrong; part of the public contract."""

    AUDIO_EMPTY = "AUDIO_EMPTY"
    AUDIO_UNREADABLE = "AUDIO_UNREADABLE"
    AUDIO_NO_TRACK = "AUDIO_NO_TRACK"
    AUDIO_TOO_LARGE = "AUDIO_TOO_LARGE"
    AUDIO_TOO_LONG = "AUDIO_TOO_LONG"
    AUDIO_TOO_SHORT = "AUDIO_TOO_SHORT"
    AUDIO_SILENT = "AUDIO_SILENT"
    AUDIO_SAMPLE_RATE = "AUDIO_SAMPLE_RATE"
    SCORE_UNREADABLE = "SCORE_UNREADABLE"
    INVALID_OPTIONS = "INVALID_OPTIONS"
    RESULT_EXPIRED = "RESULT_EXPIRED"
    QUEUE_FULL = "QUEUE_FULL"
    NOT_READY = "NOT_READY"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    CANCELLED = "CANCELLED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    MODEL_UNKNOWN = "MODEL_UNKNOWN"
    MODEL_NOT_FETCHED = "MODEL_NOT_FETCHED"
    MODEL_FETCH_FAILED = "MODEL_FETCH_FAILED"
    MODEL_REJECTED = "MODEL_REJECTED"
    PREVIEW_UNAVAILABLE = "PREVIEW_UNAVAILABLE"
    STEMS_UNAVAILABLE = "STEMS_UNAVAILABLE"
    NOTHING_TO_CONTINUE = "NOTHING_TO_CONTINUE"
    INTERNAL = "INTERNAL"


class NotabotError(Exception):
    """Base of the tree.

    Parameters
    ----------
    cause : str
        One English sentence for logs and API clients; never holds a secret or a user's words.
    **params : str | int | float
        Values that a localised text needs, such as ``limit_s`` or ``size_bytes``.
    """

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(self, cause: str, **params: str | int | float) -> None:
        super().__init__(cause)
        self.cause = cause
        self.params = params


class AudioError(NotabotError):
    """The audio that was sent cannot be used."""


class AudioEmpty(AudioError):
    """No bytes, or a container without a single decodable sample."""

    code = ErrorCode.AUDIO_EMPTY


class AudioUnreadable(AudioError):
    """The bytes are in no audio format that FFmpeg knows, or are damaged beyond decoding."""

    code = ErrorCode.AUDIO_UNREADABLE


class AudioNoTrack(AudioError):
    """A readable container that holds no sound track."""

    code = ErrorCode.AUDIO_NO_TRACK


class AudioTooLarge(AudioError):
    """More bytes than the limit. Params: ``limit_bytes``, ``size_bytes`` where known."""

    code = ErrorCode.AUDIO_TOO_LARGE


class AudioTooLong(AudioError):
    """More decoded seconds than the limit. Params: ``limit_s``."""

    code = ErrorCode.AUDIO_TOO_LONG


class AudioTooShort(AudioError):
    """Too few samples for any note. Params: ``minimum_s``, ``duration_s``."""

    code = ErrorCode.AUDIO_TOO_SHORT


class AudioSilent(AudioError):
    """Digital silence, a constant, or noise far below hearing."""

    code = ErrorCode.AUDIO_SILENT


class AudioSampleRate(AudioError):
    """A sample rate outside the accepted range. Params: ``rate_hz``."""

    code = ErrorCode.AUDIO_SAMPLE_RATE


class ScoreUnreadable(NotabotError):
    """A MIDI or MusicXML file that cannot be parsed."""

    code = ErrorCode.SCORE_UNREADABLE


class InvalidOptions(NotabotError):
    """Options outside their documented range. Params: ``option``."""

    code = ErrorCode.INVALID_OPTIONS


class ResultExpired(NotabotError):
    """The cache no longer holds the result that was asked for."""

    code = ErrorCode.RESULT_EXPIRED


class QueueFull(NotabotError):
    """Admission refused. Params: ``retry_after_s``."""

    code = ErrorCode.QUEUE_FULL


class NotReady(NotabotError):
    """Models are still loading. Params: ``retry_after_s``."""

    code = ErrorCode.NOT_READY


class ShuttingDown(NotabotError):
    """The service drains and takes no new work. Params: ``retry_after_s``."""

    code = ErrorCode.SHUTTING_DOWN


class Cancelled(NotabotError):
    """The caller went away or pressed cancel; raised from inside the running stage."""

    code = ErrorCode.CANCELLED


class DeadlineExceeded(NotabotError):
    """The request ran out of its time."""

    code = ErrorCode.DEADLINE_EXCEEDED


class Unauthenticated(NotabotError):
    """A missing or wrong bearer token."""

    code = ErrorCode.UNAUTHENTICATED


class ModelError(NotabotError):
    """A model cannot be used. Params: ``task``, ``model``."""


class ModelUnknown(ModelError):
    """No such task, or no such model for the task, in the manifest."""

    code = ErrorCode.MODEL_UNKNOWN


class ModelNotFetched(ModelError):
    """The model's weights are not on this machine; ``notabot models fetch`` gets them."""

    code = ErrorCode.MODEL_NOT_FETCHED


class ModelFetchFailed(ModelError):
    """A download failed or its checksum did not match."""

    code = ErrorCode.MODEL_FETCH_FAILED


class ModelRejected(ModelError):
    """The model loaded, but failed on the built-in signal; the old one goes on serving."""

    code = ErrorCode.MODEL_REJECTED


class PreviewUnavailable(NotabotError):
    """This machine has no synthesiser, no sounds for it, or it failed."""

    code = ErrorCode.PREVIEW_UNAVAILABLE


class StemsUnavailable(NotabotError):
    """The recording was not separated, or its stems are no longer kept."""

    code = ErrorCode.STEMS_UNAVAILABLE


class NothingToContinue(NotabotError):
    """The music says too little for a continuation. Params: ``minimum`` of notes with a pitch."""

    code = ErrorCode.NOTHING_TO_CONTINUE
