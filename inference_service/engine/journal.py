"""Accepted jobs on disk, until their results are delivered.

Each job is a JSON file, and its recording a file beside it, until it is transcribed. Files are
written atomically and reach the disk before a method returns. Everything here is deleted after a
while: closed jobs, which are kept only so that nothing is accepted twice, and open ones that nobody
asks for. Ages are measured by a monotonic clock, so that changing the time deletes nothing.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from inference_service.engine.job_store import (
    CLOSED,
    Beat,
    JobRecord,
    JobState,
    Recording,
    decode_record,
    encode_record,
    job_id,
)
from inference_service.engine.upload import Upload, open_private, sync_directory
from inference_service.engine.worker import Update
from inference_service.errors import JobTaken, JobUnknown
from inference_service.pipeline.options import TranscribeOptions

_SUFFIX: Final = ".json"
_AUDIO_SUFFIX: Final = ".audio"
_TEMPORARY_SUFFIX: Final = ".tmp"

_log = structlog.get_logger()


class Journal:
    """A folder of jobs: the :class:`~inference_service.engine.job_store.JobStore` of one service.

    Parameters
    ----------
    directory : Path
        Created if it does not exist, for this user alone.
    max_entries : int
        Beyond it the oldest are deleted, closed ones first; a running job is kept.
    max_age_s : float
        Since the job was accepted.
    """

    beat_s: float | None = None

    def __init__(self, directory: Path, max_entries: int, max_age_s: float) -> None:
        self._directory = directory
        self._max_entries = max_entries
        self._max_age_s = max_age_s
        self._started_s = time.time() - time.monotonic()
        self._lock = threading.RLock()
        self._records: dict[str, JobRecord] = {}
        self._attended: set[str] = set()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._load()
        except OSError as error:
            _log.warning("journal_unreadable", reason=str(error))
        self._left = [r for r in self._sorted() if r.state is JobState.RUNNING]

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
        return await asyncio.to_thread(self._accept, bot, key, options, context)

    async def find(self, bot: str, key: str) -> JobRecord:
        """Return an open job.

        Raises
        ------
        JobUnknown
        """
        return self._find(bot, key)

    async def list_open(self, bot: str) -> list[tuple[JobRecord, bool]]:
        """Return a caller's open jobs, the oldest first, and whether a call attends to each."""
        records = [record for record in self._sorted() if record.is_open and record.bot == bot]
        return [(record, record.id in self._attended) for record in records]

    async def change(self, record: JobRecord, **changes: object) -> JobRecord:
        """Store a job with other values. What the disk refuses is kept in memory.

        Raises
        ------
        JobUnknown
            If it has been closed or deleted meanwhile.
        """
        return await asyncio.to_thread(self._change, record, **changes)

    async def settle(self, record: JobRecord, **changes: object) -> JobRecord:
        """Store what has become of a job, as :meth:`change` does."""
        return await self.change(record, **changes)

    async def close(self, record: JobRecord) -> None:
        """Close a job: only its key is remembered.

        Raises
        ------
        JobUnknown
            If it is not open.
        """
        await self.change(record, **CLOSED)

    async def attend(self, name: str) -> bool:
        """Let a call attend to a job; False if another call does."""
        is_free = name not in self._attended
        self._attended.add(name)
        return is_free

    async def leave(self, name: str) -> None:
        """End the attendance of a call."""
        self._attended.discard(name)

    def receive(self, record: JobRecord) -> Upload:
        """Return what collects a job's recording on its way in."""
        return Upload(self._audio_path(record))

    async def seal(self, record: JobRecord, upload: Upload) -> Recording:
        """Store that a job's recording is complete, unless it is in memory alone."""
        await upload.finish()
        if upload.is_on_disk:
            with suppress(JobUnknown):
                await self.change(record, state=JobState.RUNNING)
        return upload

    async def drop_recording(self, record: JobRecord) -> None:
        """Delete a job's recording."""
        self._drop_audio(record)

    async def claim(self, limit: int) -> list[tuple[JobRecord, Recording]]:
        """Return jobs that an earlier run left, each once, the oldest first."""
        claimed, self._left = self._left[:limit], self._left[limit:]
        return [(record, Upload(self._audio_path(record))) for record in claimed]

    async def beat(self, running: Mapping[str, Update | None], attended: Collection[str]) -> Beat:
        """Do nothing: no other gateway uses the folder."""
        return Beat()

    async def watch(self, record: JobRecord) -> tuple[JobRecord, Update | None]:
        """Return a job as it is stored now; its progress is not.

        Raises
        ------
        JobUnknown
            If it has been closed or deleted.
        """
        return self._find(record.bot, record.key), None

    async def find_problem(self) -> str:
        """Return no problem: jobs that the disk refuses run in memory."""
        return ""

    async def disconnect(self) -> None:
        """Do nothing."""

    def _accept(self, bot: str, key: str, options: TranscribeOptions, context: str) -> JobRecord:
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

    def _find(self, bot: str, key: str) -> JobRecord:
        record = self._records.get(job_id(bot, key))
        if record is None or not record.is_open:
            raise JobUnknown("no open job has this key")
        return record

    def _sorted(self) -> list[JobRecord]:
        """All jobs, the oldest first."""
        with self._lock:
            records = list(self._records.values())
        return sorted(records, key=lambda record: record.accepted_s)

    def _change(self, record: JobRecord, **changes: object) -> JobRecord:
        with self._lock:
            changed = replace(self._find(record.bot, record.key), **changes)  # type: ignore[arg-type]
            self._records[changed.id] = changed
            try:
                self._write(changed)
            except OSError as error:
                _log.warning("journal_not_written", reason=str(error))
        if changed.state not in {JobState.UPLOADING, JobState.RUNNING}:
            self._drop_audio(changed)
        return changed

    def _audio_path(self, record: JobRecord) -> Path:
        return self._directory / (record.id + _AUDIO_SUFFIX)

    def _drop_audio(self, record: JobRecord) -> None:
        try:
            self._audio_path(record).unlink(missing_ok=True)
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
                record = decode_record(path.read_bytes())
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
                file.write(encode_record(record))
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
                self._drop_audio(record)
