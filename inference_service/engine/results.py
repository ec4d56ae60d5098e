"""Results that are kept: what a store of them does, and how one is encoded.

A store gives each result an unguessable id: 72 random bits in 12 characters, which leaves room for
other data in the 64 bytes of a Telegram button. With a result it keeps its sounds (the recording,
and the stems of a song), and its corrections, as results with ids of their own. All of these are
deleted with the result.

A result may be stored under a key, too, which says of which recording it is and how this was heard
(:mod:`inference_service.engine.reuse`). Whoever sends the same recording is given a result of their
own, and deleting one leaves the others.
"""

from __future__ import annotations

import gzip
import re
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import IO, Final, Protocol

from pydantic import TypeAdapter

from inference_service.engine.corrected import ID_BYTES, ID_PATTERN, Lineage
from inference_service.errors import InvalidCorrections
from inference_service.music.corrections import Corrections
from inference_service.music.events import Transcription

MAX_CORRECTED: Final = 64
"""Corrected results kept of one result."""

MAX_JSON_BYTES: Final = 64_000_000

DAMAGE: Final = (gzip.BadGzipFile, EOFError, zlib.error, ValueError)
"""What reading a damaged result raises."""

_ID: Final = re.compile(ID_PATTERN, re.ASCII)


@dataclass(frozen=True, slots=True)
class CachedResult:
    """A transcription and its title."""

    transcription: Transcription
    title: str

    def correct(self, corrections: Corrections) -> CachedResult:
        """Return the result with other corrections."""
        corrected = replace(self.transcription, corrections=corrections)
        return replace(self, transcription=corrected)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of a recording before, and the id of a result that has its sounds."""

    result_id: str
    transcription: Transcription


@dataclass(frozen=True, slots=True)
class OpenSound:
    """A sound that is being read, and its size; whoever opened it closes the file."""

    size_bytes: int
    file: IO[bytes]


class ResultStore(Protocol):
    """Keeps results; its methods may be called from any thread.

    Each method raises ``QueueFull``, with the time to come back, if the store cannot be read at the
    moment. ``ResultExpired`` means that there is no such result, and never that it cannot be read.
    A result that cannot be written is kept in memory, as one of a few, and is not lasting.
    """

    def put(
        self, result: CachedResult, sounds: Mapping[str, bytes] | None = None, key: str = ""
    ) -> str:
        """Store a result with its sounds, and return its id.

        Parameters
        ----------
        result : CachedResult
        sounds : mapping of str to bytes, optional
        key : str, optional
            Under which :meth:`find_heard` finds the result.
        """
        ...

    def put_again(self, source_id: str, result: CachedResult, key: str) -> str:
        """Store a result with the sounds that another has, if it still has them; return its id."""
        ...

    def find_heard(self, key: str) -> Heard | None:
        """Return what is kept under a key, without counting this as a use; None if nothing is."""
        ...

    def put_corrected(self, previous_id: str, corrections: Corrections) -> str:
        """Store what remains to be said of a result with all its corrections; return its id.

        Without corrections, it is the uncorrected result.

        Parameters
        ----------
        previous_id : str
            The result that was corrected last, corrected before or not.
        corrections : Corrections

        Raises
        ------
        ResultExpired
            If the previous result is no longer kept.
        """
        ...

    def get(self, result_id: str) -> CachedResult:
        """Return a result with its corrections; this counts as a use.

        Raises
        ------
        ResultExpired
            If there is no such result, or what is kept of it is damaged.
        """
        ...

    def trace(self, result_id: str) -> Lineage:
        """Return where a result comes from.

        Raises
        ------
        ResultExpired
            If it is corrected, and no longer kept.
        """
        ...

    def is_lasting(self, result_id: str) -> bool:
        """Whether a result survives a restart."""
        ...

    def get_sounds(self, result_id: str) -> dict[str, bytes]:
        """Return a result's sounds by name; empty if they are no longer kept.

        Raises
        ------
        ResultExpired
            If the result is corrected, and no longer kept.
        """
        ...

    def list_sounds(self, result_id: str) -> tuple[str, ...]:
        """Return the names of a result's sounds; raises what :meth:`get_sounds` does."""
        ...

    def open_sound(self, result_id: str, name: str) -> OpenSound:
        """Open one of a result's sounds, to be read piece by piece.

        Raises
        ------
        ResultExpired
            If there is no such result.
        SoundUnavailable
            If the sound is not kept.
        """
        ...

    def forget(self, result_id: str) -> None:
        """Delete a result, named by any of its ids, and what belongs to it, if it is kept."""
        ...


def draw_id() -> str:
    """Return a new, unguessable id."""
    return secrets.token_urlsafe(ID_BYTES)


def is_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return _ID.fullmatch(text) is not None


_ADAPTER: Final = TypeAdapter(CachedResult)


def pack_result(result: CachedResult) -> bytes:
    """Return a result as it is kept: compressed JSON."""
    return gzip.compress(_ADAPTER.dump_json(result), compresslevel=6, mtime=0)


def unpack_result(file: IO[bytes]) -> CachedResult:
    """Read a result that is kept.

    Raises
    ------
    gzip.BadGzipFile, EOFError, zlib.error, ValueError
        If it is damaged: :data:`DAMAGE`.
    """
    with gzip.GzipFile(fileobj=file) as unpacked:
        data = unpacked.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise ValueError("too large")
    try:
        return _ADAPTER.validate_json(data)
    except InvalidCorrections as error:
        raise ValueError(error.cause) from error
