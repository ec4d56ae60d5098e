"""The one tree of errors that the service raises.

An error is a class with a docstring and an :class:`ErrorKind`; everything else follows. Its code,
which is public, is the class's name in capitals: ``AudioTooLong`` is ``AUDIO_TOO_LONG``. The gRPC
status and the exit code follow from the kind (``server/convert/errors.py``, ``cli/exits.py``). The
docstring is the cause that ``docs/errors.md`` gives, in which literals name the parameters that the
error carries. ``docs/extending.md`` lists what a new error needs.

A class without a kind, such as :class:`AudioError`, is a group to catch, never to raise.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import ClassVar, Final

_WORD_START: Final = re.compile(r"(?<!^)(?=[A-Z])")


class ErrorKind(Enum):
    """Why a request failed, in the classes of gRPC statuses and exit codes."""

    INVALID_INPUT = auto()
    """The file cannot be used."""
    INVALID_OPTIONS = auto()
    """The request makes no sense, whatever the file."""
    UNSUITABLE_MUSIC = auto()
    """The file was read, but what is asked cannot be done with its music."""
    NOT_KEPT = auto()
    """The service does not hold what an earlier request left, or never did."""
    ALREADY_ACCEPTED = auto()
    """The same was asked for before."""
    UNKNOWN_NAME = auto()
    """Nothing has the name that was given."""
    OVERLOADED = auto()
    """Other requests come first."""
    NOT_SERVING = auto()
    """The service is starting or stopping."""
    CANCELLED = auto()
    """The caller wants no answer."""
    OUT_OF_TIME = auto()
    """The work took longer than it may."""
    UNAUTHENTICATED = auto()
    """The caller did not show that it may ask."""
    NOT_EQUIPPED = auto()
    """This machine lacks a program, weights, or a model that works."""
    DOWNLOAD_FAILED = auto()
    """Another machine did not deliver."""
    INTERNAL = auto()
    """A mistake in the service."""


class NotabotError(Exception):
    """Base of the tree.

    Parameters
    ----------
    cause : str
        One English sentence for logs and API clients; never holds a secret or a user's words.
    **params : str | int | float
        Values that a localised text needs, such as ``limit_s`` or ``size_bytes``.
    """

    kind: ClassVar[ErrorKind]
    code: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in vars(cls):
            cls.code = _WORD_START.sub("_", cls.__name__).upper()

    def __init__(self, cause: str, **params: str | int | float) -> None:
        super().__init__(cause)
        self.cause = cause
        self.params = params


class AudioError(NotabotError):
    """The audio that was sent cannot be used."""


class AudioEmpty(AudioError):
    """No bytes, or a file without a single decodable sample."""

    kind = ErrorKind.INVALID_INPUT


class AudioUnreadable(AudioError):
    """The file is in no audio format that FFmpeg knows, is damaged beyond decoding, or takes more
    time or memory to decode than any recording of its size.
    """

    kind = ErrorKind.INVALID_INPUT


class AudioNoTrack(AudioError):
    """A readable file, such as a video, without a sound track."""

    kind = ErrorKind.INVALID_INPUT


class AudioTooLarge(AudioError):
    """More bytes than ``limit_bytes``; ``size_bytes`` where the size is known."""

    kind = ErrorKind.INVALID_INPUT


class AudioTooLong(AudioError):
    """More decoded seconds than ``limit_s``, whatever the file claims."""

    kind = ErrorKind.INVALID_INPUT


class AudioTooShort(AudioError):
    """``duration_s`` is less than ``minimum_s``, which is too short for any note."""

    kind = ErrorKind.INVALID_INPUT


class AudioSilent(AudioError):
    """Digital silence, a constant, or noise far below hearing."""

    kind = ErrorKind.INVALID_INPUT


class NothingHeard(AudioError):
    """The recording has sound, but no note was heard in it."""

    kind = ErrorKind.INVALID_INPUT


class AudioSampleRate(AudioError):
    """The sample rate, ``rate_hz``, is outside the accepted range."""

    kind = ErrorKind.INVALID_INPUT


class ScoreUnreadable(NotabotError):
    """A MIDI file, MusicXML or ``result.json`` that cannot be parsed, or is larger than the readers
    accept.
    """

    kind = ErrorKind.INVALID_INPUT


class InvalidOptions(NotabotError):
    """``option`` is outside its documented range, or messages came in the wrong order."""

    kind = ErrorKind.INVALID_OPTIONS


class InvalidCorrections(NotabotError):
    """``correction`` is outside its documented range, or does not fit the music: it names a part or
    bars that the piece does not have, for example.
    """

    kind = ErrorKind.INVALID_OPTIONS


class ResultExpired(NotabotError):
    """The cache no longer holds the result, so that it cannot be rendered or continued."""

    kind = ErrorKind.NOT_KEPT


class JobTaken(NotabotError):
    """A job with this key was accepted before, or another call attends to it."""

    kind = ErrorKind.ALREADY_ACCEPTED


class JobUnknown(NotabotError):
    """No open job has this key, or its upload was cut off."""

    kind = ErrorKind.NOT_KEPT


class QueueFull(NotabotError):
    """The service holds as many requests as it may; try again after ``retry_after_s``. Also if the
    machine can start no process, or open no file.
    """

    kind = ErrorKind.OVERLOADED


class NotReady(NotabotError):
    """Models are still loading, or the server of the shared state is away; try again after
    ``retry_after_s``. For the command line also: no service answers.
    """

    kind = ErrorKind.NOT_SERVING


class ShuttingDown(NotabotError):
    """The service drains before it stops; try again after ``retry_after_s``."""

    kind = ErrorKind.NOT_SERVING


class Cancelled(NotabotError):
    """The caller went away or pressed cancel.

    Raised from inside the running stage, by the call that reports its progress.
    """

    kind = ErrorKind.CANCELLED


class DeadlineExceeded(NotabotError):
    """The request, or the arrival of its audio, ran out of time."""

    kind = ErrorKind.OUT_OF_TIME


class Unauthenticated(NotabotError):
    """A bearer token is missing or wrong."""

    kind = ErrorKind.UNAUTHENTICATED


class ModelError(NotabotError):
    """A model cannot be used."""


class ModelUnknown(ModelError):
    """No such ``task``, or no such ``model`` for it, in the manifest."""

    kind = ErrorKind.UNKNOWN_NAME


class ModelNotFetched(ModelError):
    """The weights of ``model`` are not on this machine; ``notabot models fetch NAME`` gets them."""

    kind = ErrorKind.NOT_EQUIPPED


class ModelFetchFailed(ModelError):
    """A download broke too often, was refused, or has another checksum; or nobody agreed to it."""

    kind = ErrorKind.DOWNLOAD_FAILED


class ModelRejected(ModelError):
    """The model did not load, or failed on the built-in signal; the previous one stays in use."""

    kind = ErrorKind.NOT_EQUIPPED


class PreviewUnavailable(NotabotError):
    """This machine has no FluidSynth or no soundfont, or the synthesis failed."""

    kind = ErrorKind.NOT_EQUIPPED


class StemsUnavailable(NotabotError):
    """The recording was not separated, or its stems are no longer kept."""

    kind = ErrorKind.NOT_KEPT


class SoundUnavailable(NotabotError):
    """The recording, or this stem of it, is not kept, or no longer."""

    kind = ErrorKind.NOT_KEPT


class NothingToContinue(NotabotError):
    """Fewer than ``minimum`` notes with a pitch, or no bar in a metre that the search knows."""

    kind = ErrorKind.UNSUITABLE_MUSIC


class Internal(NotabotError):
    """A mistake in the service; its log has the request id that the caller got."""

    kind = ErrorKind.INTERNAL


def _with_codes(group: type[NotabotError]) -> Iterator[type[NotabotError]]:
    for error in group.__subclasses__():
        if "code" in vars(error):
            yield error
        yield from _with_codes(error)


def drop_frames(error: BaseException | None) -> None:
    """Drop the local variables of the frames that an exception and its causes passed through.

    A frame refers to its exception, for example through a future, and the exception to its frames.
    Whatever they hold would be kept until the next full garbage collection. Frames that still run
    keep their variables.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


ERRORS: Final[Mapping[str, type[NotabotError]]] = {
    error.code: error for error in _with_codes(NotabotError)
}
"""Every error by its code, in the order of this file within each group."""
