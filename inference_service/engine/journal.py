"""Accepted jobs on disk, until their results are delivered.

Each job is a JSON file, and its recording a file beside it, until it is transcribed. Files are
written atomically and reach the disk before a method returns. Everything here is deleted after a
while: closed jobs, which are kept only so that nothing is accepted twice, and open ones that nobody
asks for. Ages are measured by a monotonic clock, so that changing the time deletes nothing.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

import structlog
from pydantic import TypeAdapter, ValidationError

from inference_service.errors import JobTaken, JobUnknown
from inference_service.pipeline.options import TranscribeOptions

_SUFFIX: Final = ".json"
_AUDIO_SUFFIX: Final = ".audio"
_TEMPORARY_SUFFIX: Final = ".tmp"

_log = structlog.get_logger()


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
        How often the transcription has begun.
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
    result_id: str = ""
    error: StoredError | None = None

    @property
    def id(self) -> str:
        """The name of its files."""
        return job_id(self.bot, self.key)

    @property
    def is_open(self) -> bool:
        """Whether its caller has yet to close it."""
        return self.state is not JobState.CLOSED


_ADAPTER: Final = TypeAdapter(JobRecord)


def job_id(bot: str, key: str) -> str:
    """Return the name of a job's files."""
    return hashlib.sha256(f"{bot}\0{key}".encode()).hexdigest()[:32]


class Journal:
    """A folder of jobs; its methods may be called from any thread.

    Parameters
    ----------
    directory : Path
        Created if it does not exist, for this user alone.
    max_entries : int
        Beyond it the oldest are deleted, closed ones first; a running job is kept.
    max_age_s : float
        Since the job was accepted.
    """

    def __init__(self, directory: Path, max_entries: int, max_age_s: float) -> None:
        self._directory = directory
        self._max_entries = max_entries
        self._max_age_s = max_age_s
        self._started_s = time.time() - time.monotonic()
        self._lock = threading.RLock()
        self._records: dict[str, JobRecord] = {}
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._load()
        except OSError as error:
            _log.warning("journal_unreadable", reason=str(error))

    def accept(self, bot: str, key: str, options: TranscribeOptions, context: str) -> JobRecord:
        """Write a job down; one whose upload was cut off keeps its context.

        Raises
        ------
        JobTaken
            If the job is known, and its upload was not cut off.
        OSError
            If it cannot be written.
        """
        with self._lock:
            known = self._records.get(job_id(bot, key))
            if known is not None and known.state is not JobState.UPLOADING:
                raise JobTaken("a job with this key was accepted before")
            if known is not None:
                return known
            self._evict()
            record = JobRecord(bot, key, context, options, self._now_s())
            self._write(record)
            return record

    def find(self, bot: str, key: str) -> JobRecord:
        """Return an open job.

        Raises
        ------
        JobUnknown
        """
        record = self._records.get(job_id(bot, key))
        if record is None or not record.is_open:
            raise JobUnknown("no open job has this key")
        return record

    def list_open(self, bot: str | None = None) -> list[JobRecord]:
        """Return a caller's open jobs, or everyone's, the oldest first."""
        with self._lock:
            records = [r for r in self._records.values() if r.is_open and bot in (None, r.bot)]
        return sorted(records, key=lambda record: record.accepted_s)

    def change(self, record: JobRecord, **changes: object) -> JobRecord:
        """Store a job with other values. What the disk refuses is kept in memory.

        Raises
        ------
        JobUnknown
            If it has been closed or deleted meanwhile.
        """
        with self._lock:
            changed = replace(self.find(record.bot, record.key), **changes)  # type: ignore[arg-type]
            self._records[changed.id] = changed
            try:
                self._write(changed)
            except OSError as error:
                _log.warning("journal_not_written", reason=str(error))
        if changed.state not in {JobState.UPLOADING, JobState.RUNNING}:
            self.drop_audio(changed)
        return changed

    def close(self, record: JobRecord) -> None:
        """Close a job: only its key is remembered."""
        self.change(
            record, state=JobState.CLOSED, context="", options=TranscribeOptions(), error=None
        )

    def audio_path(self, record: JobRecord) -> Path:
        """The file of a job's recording."""
        return self._directory / (record.id + _AUDIO_SUFFIX)

    def drop_audio(self, record: JobRecord) -> None:
        """Delete a job's recording."""
        try:
            self.audio_path(record).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("recording_not_deleted", reason=str(error))

    def _now_s(self) -> float:
        return self._started_s + time.monotonic()

    def _load(self) -> None:
        """Read what an earlier run left, and delete what no job needs."""
        for path in sorted(self._directory.iterdir()):
            if path.suffix == _TEMPORARY_SUFFIX:
                path.unlink(missing_ok=True)
            if path.suffix != _SUFFIX:
                continue
            try:
                record = _ADAPTER.validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                _log.warning("job_unreadable", reason=type(error).__name__)
                continue
            self._records[record.id] = record
        running = {r.id for r in self._records.values() if r.state is JobState.RUNNING}
        for path in self._directory.glob(f"*{_AUDIO_SUFFIX}"):
            if path.stem not in running:
                path.unlink(missing_ok=True)
        self._evict()

    def _write(self, record: JobRecord) -> None:
        path = self._directory / (record.id + _SUFFIX)
        temporary = path.with_suffix(_TEMPORARY_SUFFIX)
        try:
            with open_private(temporary) as file:
                file.write(_ADAPTER.dump_json(record))
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_directory(self._directory)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self._records[record.id] = record

    def _evict(self) -> None:
        oldest_s = self._now_s() - self._max_age_s
        idle = [r for r in self._records.values() if r.state is not JobState.RUNNING]
        idle.sort(key=lambda record: (record.is_open, record.accepted_s))
        surplus = len(self._records) - self._max_entries + 1
        for place, record in enumerate(idle):
            if place < surplus or record.accepted_s < oldest_s:
                del self._records[record.id]
                (self._directory / (record.id + _SUFFIX)).unlink(missing_ok=True)
                self.drop_audio(record)


def sync_directory(directory: Path) -> None:
    """Make the names of a folder's files reach the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_private(path: Path) -> IO[bytes]:
    """Open a file for writing that no other user can read; nothing is buffered."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)
