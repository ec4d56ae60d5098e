"""Accepted jobs as they are stored, and what the engine needs of a store.

:mod:`inference_service.engine.journal` is a folder, for one service.
:mod:`inference_service.engine.shared_journal` is shared by several, here called gateways: each job
is leased by the gateway that runs it, and attended by one call of one gateway. Leases end unless
they are renewed, so the jobs of a gateway that was killed go to the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from pydantic import TypeAdapter

from inference_service.engine.upload import Upload
from inference_service.engine.worker import Update
from inference_service.pipeline.options import TranscribeOptions


class JobState(StrEnum):
    """How far a job has come."""

    UPLOADING = "uploading"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class StoredError:
    """An error of :mod:`inference_service.errors`, by its code."""

    code: str
    cause: str
    params: dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it is stored.

    Parameters
    ----------
    bot, key : str
        Whose job it is, and its name among theirs.
    context : str
        The caller's own; empty once it is closed.
    options : TranscribeOptions
    accepted_s : float
        Seconds since the epoch.
    state : JobState
    attempts : int
        How often the recording's turn has come, and work on it has begun.
    starts : int
        How often a service has taken the job up.
    result_id : str
        Of the cache; empty until the job is done.
    error : StoredError or None
        Why it failed.
    """

    bot: str
    key: str
    context: str
    options: TranscribeOptions
    accepted_s: float
    state: JobState = JobState.UPLOADING
    attempts: int = 0
    starts: int = 0
    result_id: str = ""
    error: StoredError | None = None

    @property
    def id(self) -> str:
        """Its name in the store."""
        return job_id(self.bot, self.key)

    @property
    def is_open(self) -> bool:
        """Whether its caller has yet to close it."""
        return self.state is not JobState.CLOSED


_RECORD: Final = TypeAdapter(JobRecord)


def encode_record(record: JobRecord) -> bytes:
    """Write a job as JSON."""
    return _RECORD.dump_json(record)


def decode_record(data: bytes) -> JobRecord:
    """Read a job.

    Raises
    ------
    pydantic.ValidationError
        If it is not what :func:`encode_record` writes.
    """
    return _RECORD.validate_json(data)


def job_id(bot: str, key: str) -> str:
    """Return the name of a job in the store."""
    return hashlib.sha256(f"{bot}\0{key}".encode()).hexdigest()[:32]


CLOSED: Final[Mapping[str, object]] = {
    "state": JobState.CLOSED,
    "context": "",
    "options": TranscribeOptions(),
    "error": None,
}
"""What is kept of a closed job."""


class Recording(Protocol):
    """A complete recording."""

    async def read(self) -> bytes:
        """Return its bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Beat:
    """What a gateway learns when it renews its leases: names of jobs.

    Parameters
    ----------
    closed : frozenset of str
        Jobs that their caller has closed.
    lost : frozenset of str
        Jobs that another gateway runs now.
    """

    closed: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()


class JobStore(Protocol):
    """Keeps accepted jobs; called on the event loop.

    Any method may raise ``NotReady`` if a store that is shared cannot be reached.
    """

    beat_s: float | None
    """Seconds between two calls of :meth:`beat`; None if no other gateway uses the store."""

    async def accept(
        self, bot: str, key: str, options: TranscribeOptions, context: str
    ) -> JobRecord:
        """Write a job down; one whose upload was cut off keeps its context.

        Raises
        ------
        JobTaken
            If the job is known, and its upload was not cut off.
        OSError
            If it cannot be written.
        """
        ...

    async def find(self, bot: str, key: str) -> JobRecord:
        """Return an open job.

        Raises
        ------
        JobUnknown
        """
        ...

    async def list_open(self, bot: str) -> list[tuple[JobRecord, bool]]:
        """Return a caller's open jobs, the oldest first, and whether a call attends to each."""
        ...

    async def change(self, record: JobRecord, **changes: object) -> JobRecord:
        """Store a job with other values.

        Raises
        ------
        JobUnknown
            If it has been closed or deleted meanwhile.
        """
        ...

    async def settle(self, record: JobRecord, **changes: object) -> JobRecord:
        """Store what has become of a job that this gateway runs, and end its lease.

        A job that is still ``RUNNING`` afterwards is for the next gateway that claims it.

        Raises
        ------
        JobTaken
            If another gateway runs the job now; nothing is stored.
        JobUnknown
            If it has been closed or deleted meanwhile.
        """
        ...

    async def close(self, record: JobRecord) -> None:
        """Close a job: only its key is remembered.

        Raises
        ------
        JobUnknown
            If it is not open.
        """
        ...

    async def attend(self, name: str) -> bool:
        """Let a call of this gateway attend to a job; False if another call does."""
        ...

    async def leave(self, name: str) -> None:
        """End the attendance of a call of this gateway."""
        ...

    def receive(self, record: JobRecord) -> Upload:
        """Return what collects a job's recording on its way in."""
        ...

    async def seal(self, record: JobRecord, upload: Upload) -> Recording:
        """Store that a job's recording is complete; this gateway runs the job.

        Raises
        ------
        NotReady
            If gateways share the store, and the recording cannot be kept where all read it.
        """
        ...

    async def drop_recording(self, record: JobRecord) -> None:
        """Delete a job's recording."""
        ...

    async def claim(self, limit: int) -> list[tuple[JobRecord, Recording]]:
        """Lease up to ``limit`` jobs that are to run and that no gateway runs."""
        ...

    async def beat(self, running: Mapping[str, Update | None], attended: Collection[str]) -> Beat:
        """Renew the leases of this gateway.

        Parameters
        ----------
        running : mapping of str to Update or None
            The jobs that it runs, and their latest progress.
        attended : collection of str
            The jobs that calls of this gateway attend to.
        """
        ...

    async def watch(self, record: JobRecord) -> tuple[JobRecord, Update | None]:
        """Return a job as it is stored now, and its latest progress.

        Raises
        ------
        JobUnknown
            If it has been closed or deleted.
        """
        ...

    async def find_problem(self) -> str:
        """Return why jobs cannot be stored, or an empty text."""
        ...

    async def disconnect(self) -> None:
        """Close the connection to a store that is shared."""
        ...
