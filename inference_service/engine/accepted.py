"""Accepted jobs: transcriptions that outlive the calls that asked for them.

A job runs in a task of its own. Calls attend to it, one at a time: they follow its progress and
receive its files, and may end without harm. When the service starts, it takes up the jobs that an
earlier run left, each at most :data:`MAX_ATTEMPTS` times: a recording that brings the service down
must not do so for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, contextmanager, suppress
from typing import Final

import structlog

from inference_service.engine.journal import JobRecord, JobState, Journal, StoredError, job_id
from inference_service.engine.service import Engine, Rendered
from inference_service.engine.upload import Upload
from inference_service.engine.worker import Update
from inference_service.errors import (
    ERRORS,
    Cancelled,
    Internal,
    JobTaken,
    JobUnknown,
    NotabotError,
    ShuttingDown,
    drop_frames,
)
from inference_service.pipeline.options import TranscribeOptions

MAX_ATTEMPTS: Final = 3

_log = structlog.get_logger()


class RunningJob:
    """The progress and the outcome of a job, for the call that attends to it.

    Parameters
    ----------
    place : ExitStack
        Gives the job's place in the queue back, once it has ended.
    """

    def __init__(self, place: ExitStack) -> None:
        self.task: asyncio.Task[None] | None = None
        self._place = place
        self._followers = 0
        self._latest: Update | None = None
        self._rendered: Rendered | None = None
        self._error: NotabotError | None = None
        self._is_over = False
        self._changed = asyncio.Event()

    def post(self, update: Update) -> None:
        """Show an update; of several unread ones, the latest counts."""
        self._latest = update
        self._changed.set()

    def end(self, outcome: Rendered | NotabotError) -> None:
        """End with a result or an error."""
        if isinstance(outcome, Rendered):
            self._rendered = outcome
        else:
            self._error = outcome
        self._is_over = True
        self._changed.set()
        self._place.close()
        self._drop_files()

    @property
    def is_over(self) -> bool:
        """Whether the job has ended and nobody receives its files."""
        return self._is_over and not self._followers

    async def follow(self) -> AsyncIterator[Update | Rendered]:
        """Yield updates, then the result.

        Raises
        ------
        NotabotError
            If the job failed.
        """
        self._followers += 1
        try:
            shown: Update | None = None
            while not self._is_over:
                self._changed.clear()
                if self._latest is not None and self._latest is not shown:
                    shown = self._latest
                    yield shown
                else:
                    await self._changed.wait()
            if self._error is not None:
                raise self._error
            assert self._rendered is not None
            yield self._rendered
        finally:
            self._followers -= 1
            self._drop_files()

    def _drop_files(self) -> None:
        if self.is_over:
            self._rendered = None


class AcceptedJobs:
    """Accepts, runs and closes jobs. Everything here is called on the event loop.

    Parameters
    ----------
    engine : Engine
    journal : Journal
    deadline_s : float
        Longest time for a job, from its upload to its files.
    """

    def __init__(self, engine: Engine, journal: Journal, deadline_s: float) -> None:
        self._engine = engine
        self._journal = journal
        self._deadline_s = deadline_s
        self._running: dict[str, RunningJob] = {}
        self._attended: set[str] = set()
        self._closings: dict[str, asyncio.Event] = {}

    @contextmanager
    def attend(self, bot: str, key: str) -> Iterator[asyncio.Event]:
        """Be the one call that attends to a job; yields an event that is set when it is closed.

        Raises
        ------
        JobTaken
            If another call does.
        """
        name = job_id(bot, key)
        if name in self._attended:
            raise JobTaken("another call attends to this job")
        self._attended.add(name)
        closed = self._closings[name] = asyncio.Event()
        try:
            yield closed
        finally:
            self._attended.discard(name)
            del self._closings[name]

    async def accept(
        self, bot: str, key: str, options: TranscribeOptions, context: str
    ) -> tuple[JobRecord, bool]:
        """Write a job down; also returns whether the disk has taken it.

        Raises
        ------
        JobTaken
            If it was accepted before.
        """
        try:
            record = await asyncio.to_thread(self._journal.accept, bot, key, options, context)
        except OSError as error:
            _log.warning("job_not_written", reason=str(error))
            return JobRecord(bot, key, context, options, time.time()), False
        _log.info("job_accepted", job=record.id)
        return record, True

    @contextmanager
    def receive(self, record: JobRecord) -> Iterator[Upload]:
        """Receive a job's recording; what was cut off is deleted."""
        upload = Upload(self._journal.audio_path(record))
        try:
            yield upload
        except BaseException:
            self._journal.drop_audio(record)
            raise
        finally:
            upload.close()

    async def seal(self, record: JobRecord, upload: Upload) -> None:
        """Store that a job's recording is complete."""
        await upload.finish()
        if upload.is_on_disk:
            with suppress(JobUnknown):
                await asyncio.to_thread(self._journal.change, record, state=JobState.RUNNING)

    def run(self, record: JobRecord, upload: Upload, caller: str = "") -> None:
        """Run a job whose recording is complete; it holds a place of its own from now on."""
        place = ExitStack()
        place.enter_context(self._engine.transcriptions.admit(caller, beyond_limit=True))
        job = RunningJob(place)
        self._running[record.id] = job
        job.task = asyncio.create_task(self._work(record, upload, job))

    async def resume(self) -> None:
        """Take up the jobs that an earlier run left."""
        for record in self._journal.list_open():
            if record.state is not JobState.RUNNING:
                continue
            if record.attempts >= MAX_ATTEMPTS:
                error = Internal("the service ended several times while it worked on this")
                await asyncio.to_thread(self._fail, record, error)
                continue
            _log.info("job_resumed", job=record.id, attempts=record.attempts)
            self.run(record, Upload(self._journal.audio_path(record)))

    def list_open(self, bot: str) -> list[tuple[JobRecord, bool]]:
        """Return a caller's open jobs, and whether a call attends to each."""
        return [(record, record.id in self._attended) for record in self._journal.list_open(bot)]

    def find(self, bot: str, key: str) -> JobRecord:
        """Return an open job whose recording has arrived.

        Raises
        ------
        JobUnknown
        """
        record = self._journal.find(bot, key)
        if record.state is JobState.UPLOADING and record.id not in self._running:
            raise JobUnknown("the upload of this job was cut off")
        return record

    async def follow(self, record: JobRecord) -> AsyncIterator[Update | Rendered]:
        """Yield a job's updates and its result, whether it runs or has ended.

        Raises
        ------
        NotabotError
            Why it failed; ``ResultExpired`` if its result is no longer kept.
        """
        running = self._running.get(record.id)
        if running is not None:
            try:
                async with aclosing(running.follow()) as events:  # type: ignore[type-var]
                    async for event in events:
                        yield event
            finally:
                self._forget(record.id)
            return
        record = self._journal.find(record.bot, record.key)
        if record.error is not None:
            raise _decode(record.error)
        deadline_s = time.monotonic() + self._deadline_s
        with self._engine.renderings.admit() as place:
            rendering = self._engine.render(record.result_id, record.options.render, deadline_s)
            async with aclosing(rendering) as events:  # type: ignore[type-var]
                async for event in events:
                    if isinstance(event, Rendered):
                        place.release()
                    yield event

    async def note(self, bot: str, key: str, context: str) -> None:
        """Replace a job's context.

        Raises
        ------
        JobUnknown
        """
        record = self._journal.find(bot, key)
        await asyncio.to_thread(self._journal.change, record, context=context)

    async def close(self, bot: str, key: str) -> None:
        """End a job for good; does nothing if it is not open."""
        name = job_id(bot, key)
        running = self._running.pop(name, None)
        if running is not None and running.task is not None:
            running.task.cancel()
        if (closed := self._closings.get(name)) is not None:
            closed.set()
        with suppress(JobUnknown):
            record = self._journal.find(bot, key)
            await asyncio.to_thread(self._journal.close, record)
            _log.info("job_closed", job=name)

    async def stop(self) -> None:
        """End every task; their jobs are taken up at the next start."""
        tasks = [job.task for job in self._running.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, record: JobRecord, upload: Upload, job: RunningJob) -> None:
        outcome: Rendered | NotabotError = Cancelled("the job was closed")
        try:
            outcome = await self._transcribe(record, upload, job)
        except asyncio.CancelledError:
            raise
        except NotabotError as error:
            outcome = error
            drop_frames(error)
            _log.info("job_failed", job=record.id, code=error.code)
        except Exception as error:
            _log.exception("job_broke", job=record.id)
            drop_frames(error)
            outcome = Internal("an error inside the service; its log has the job's id")
        finally:
            try:
                with suppress(JobUnknown):
                    await self._settle(record, outcome)
            finally:  # also if the service stops meanwhile: a call waits for the outcome
                job.end(outcome)
                self._forget(record.id)

    async def _transcribe(self, record: JobRecord, upload: Upload, job: RunningJob) -> Rendered:
        """Run a job; store that it began, so that a restart counts it."""
        with suppress(JobUnknown):
            await asyncio.to_thread(self._journal.change, record, attempts=record.attempts + 1)
        deadline_s = time.monotonic() + self._deadline_s
        with self._engine.counters.count():
            events = self._engine.transcribe(await upload.read(), record.options, deadline_s)
            async with aclosing(events):  # type: ignore[type-var]
                async for event in events:
                    if isinstance(event, Rendered):
                        return event
                    job.post(event)
        raise AssertionError("unreachable: a transcription ends with its result or an error")

    async def _settle(self, record: JobRecord, outcome: Rendered | NotabotError) -> None:
        """Store how a job ended; one that was stopped with the service is to run again."""
        if isinstance(outcome, Rendered):
            await asyncio.to_thread(
                self._journal.change, record, state=JobState.DONE, result_id=outcome.result_id
            )
        elif isinstance(outcome, ShuttingDown | Cancelled):
            await asyncio.to_thread(self._journal.change, record, attempts=record.attempts)
        else:
            await asyncio.to_thread(self._fail, record, outcome)

    def _fail(self, record: JobRecord, error: NotabotError) -> None:
        stored = StoredError(error.code, error.cause, dict(error.params))
        self._journal.change(record, state=JobState.FAILED, error=stored)

    def _forget(self, name: str) -> None:
        """Drop a job that is over; later calls read the journal and the cache."""
        job = self._running.get(name)
        if job is not None and job.is_over:
            del self._running[name]


def _decode(stored: StoredError) -> NotabotError:
    kind = ERRORS.get(stored.code, Internal)
    return kind(stored.cause, **stored.params)
