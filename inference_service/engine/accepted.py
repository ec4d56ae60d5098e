"""Accepted jobs: transcriptions that outlive the calls that asked for them.

A job runs in a task of its own. Calls attend to it, one at a time: they follow its progress and
receive its files, and may end without harm. When the service starts, it takes up the jobs that an
earlier run left, unless it has ended :data:`MAX_ATTEMPTS` times while it worked on a recording: one
that brings the service down must not do so for ever. Those that only waited then are not to blame.

Where several services share their jobs (:mod:`inference_service.engine.job_store`), a call may
attend to a job that another one runs: it reads the progress from the store and renders the result
when it is there. A job of a service that has gone is taken up by another that has room.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Final

import structlog

from inference_service.engine.job_store import (
    JobRecord,
    JobState,
    JobStore,
    Recording,
    StoredError,
    job_id,
)
from inference_service.engine.progress_meter import StageUpdate
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
    NotReady,
    ShuttingDown,
    drop_frames,
)
from inference_service.pipeline.options import TranscribeOptions

MAX_ATTEMPTS: Final = 5
"""How often a recording may be worked on. Machines are also taken away for other reasons, several
times in a row where a fleet is renewed."""

MAX_STARTS: Final = 50
"""How often a job may be taken up, should a service end before it has stored that work began."""

CALM_S: Final = 2.0
"""How long the store must have answered before jobs of others are claimed. After an outage all
leases have ended, and those whose jobs still run must be able to renew them first."""

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
        self.latest: Update | None = None
        self.has_moved = False
        self._place = place
        self._followers = 0
        self._rendered: Rendered | None = None
        self._error: NotabotError | None = None
        self._is_over = False
        self._changed = asyncio.Event()

    def post(self, update: Update) -> None:
        """Show an update; of several unread ones, the latest counts."""
        self.latest = update
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

    def move(self) -> None:
        """Stop: another service runs the job, and those who follow it here must look there."""
        self.has_moved = True
        if self.task is not None:
            self.task.cancel()

    @property
    def is_over(self) -> bool:
        """Whether the job has ended and nobody receives its files."""
        return self._is_over and not self._followers

    @property
    def is_running(self) -> bool:
        """Whether the job has not ended."""
        return not self._is_over

    async def follow(self) -> AsyncIterator[Update | Rendered]:
        """Yield updates, then the result, unless the job has moved.

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
                if self.latest is not None and self.latest is not shown:
                    shown = self.latest
                    yield shown
                else:
                    await self._changed.wait()
            if self.has_moved:
                return
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

    Any method may raise ``NotReady`` if the store is shared and away.

    Parameters
    ----------
    engine : Engine
    store : JobStore
    deadline_s : float
        Longest time for a job, from its upload to its files.
    """

    def __init__(self, engine: Engine, store: JobStore, deadline_s: float) -> None:
        self._engine = engine
        self._store = store
        self._deadline_s = deadline_s
        self._running: dict[str, RunningJob] = {}
        self._closings: dict[str, asyncio.Event] = {}
        self._owed: dict[str, Callable[[], Awaitable[object]]] = {}
        self._beating: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def attend(self, bot: str, key: str) -> AsyncIterator[asyncio.Event]:
        """Be the one call that attends to a job; yields an event that is set when it is closed.

        Raises
        ------
        JobTaken
            If another call does.
        """
        name = job_id(bot, key)
        if not await self._store.attend(name):
            raise JobTaken("another call attends to this job")
        closed = self._closings[name] = asyncio.Event()
        try:
            yield closed
        finally:
            del self._closings[name]
            with suppress(NotReady):  # then the attendance ends with its lease
                await asyncio.shield(self._store.leave(name))

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
            record = await self._store.accept(bot, key, options, context)
        except OSError as error:
            _log.warning("job_not_written", reason=str(error))
            return JobRecord(bot, key, context, options, time.time()), False
        _log.info("job_accepted", job=record.id)
        return record, True

    @asynccontextmanager
    async def receive(self, record: JobRecord) -> AsyncIterator[Upload]:
        """Receive a job's recording; what was cut off is deleted."""
        upload = self._store.receive(record)
        try:
            yield upload
        except BaseException:
            await asyncio.shield(self._store.drop_recording(record))
            raise
        finally:
            upload.close()

    async def seal(self, record: JobRecord, upload: Upload) -> Recording:
        """Store that a job's recording is complete."""
        return await self._store.seal(record, upload)

    def run(self, record: JobRecord, recording: Recording, caller: str = "") -> None:
        """Run a job whose recording is complete; it holds a place of its own from now on."""
        place = ExitStack()
        place.enter_context(self._engine.transcriptions.admit(caller, beyond_limit=True))
        job = RunningJob(place)
        self._running[record.id] = job
        job.task = asyncio.create_task(self._work(record, recording, job))

    async def resume(self) -> None:
        """Take up the jobs that an earlier run left; where jobs are shared, go on looking."""
        if self._store.beat_s is None:
            await self._claim(sys.maxsize)
        else:
            self._beating = asyncio.create_task(self._keep_beating(self._store.beat_s))

    async def list_open(self, bot: str) -> list[tuple[JobRecord, bool]]:
        """Return a caller's open jobs, and whether a call attends to each."""
        return await self._store.list_open(bot)

    async def find(self, bot: str, key: str) -> JobRecord:
        """Return an open job whose recording has arrived.

        Raises
        ------
        JobUnknown
        """
        record = await self._store.find(bot, key)
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
            if not running.has_moved:
                return
        if self._store.beat_s is not None:
            async with aclosing(self._watch(record, self._store.beat_s)) as updates:  # type: ignore[type-var]
                async for update in updates:
                    yield update
        record = await self._store.find(record.bot, record.key)
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
        record = await self._store.find(bot, key)
        await self._store.change(record, context=context)

    async def close(self, bot: str, key: str) -> None:
        """End a job for good, whichever service runs it; does nothing if it is not open."""
        name = job_id(bot, key)
        self._end(name)
        try:
            await self._close(bot, key)
        except NotReady:
            if self._store.beat_s is not None:
                self._owed[name] = partial(self._close, bot, key)
            raise

    async def find_problem(self) -> str:
        """Return why jobs cannot be accepted, or an empty text."""
        return await self._store.find_problem()

    async def stop(self) -> None:
        """End every task; their jobs are taken up at the next start, or by another service."""
        tasks = [job.task for job in self._running.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating], timeout=1.0)
        await self._store.disconnect()

    async def _close(self, bot: str, key: str) -> None:
        with suppress(JobUnknown):
            record = await self._store.find(bot, key)
            await self._store.close(record)
            _log.info("job_closed", job=record.id)

    def _end(self, name: str) -> None:
        """Stop what this service does for a job that has been closed."""
        running = self._running.pop(name, None)
        if running is not None and running.task is not None:
            running.task.cancel()
        if (closed := self._closings.get(name)) is not None:
            closed.set()

    async def _work(self, record: JobRecord, recording: Recording, job: RunningJob) -> None:
        outcome: Rendered | NotabotError = Cancelled("the job was closed")
        try:
            outcome = await self._transcribe(record, recording, job)
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
                if not job.has_moved:
                    await self._settle(record, outcome, job)
            finally:  # also if the service stops meanwhile: a call waits for the outcome
                job.end(outcome)
                self._forget(record.id)

    async def _transcribe(
        self, record: JobRecord, recording: Recording, job: RunningJob
    ) -> Rendered:
        """Run a job; store that it was taken up and that work began, so that a restart counts."""
        await self._count(record, starts=record.starts + 1)
        has_begun = False
        deadline_s = time.monotonic() + self._deadline_s
        with self._engine.counters.count():
            events = self._engine.transcribe(await recording.read(), record.options, deadline_s)
            async with aclosing(events):  # type: ignore[type-var]
                async for event in events:
                    if isinstance(event, Rendered):
                        return event
                    if isinstance(event, StageUpdate) and not has_begun:
                        has_begun = True
                        await self._count(record, attempts=record.attempts + 1)
                    job.post(event)
        raise AssertionError("unreachable: a transcription ends with its result or an error")

    async def _count(self, record: JobRecord, **counts: int) -> None:
        with suppress(JobUnknown, NotReady):
            await self._store.change(record, **counts)

    async def _settle(
        self, record: JobRecord, outcome: Rendered | NotabotError, job: RunningJob
    ) -> None:
        """Store how a job ended, if need be once the store is back."""
        store = partial(self._store.settle, record, **_changes(record, outcome))
        try:
            await store()
        except JobUnknown:
            return
        except JobTaken:
            job.has_moved = True
        except NotReady:
            self._owed[record.id] = store

    async def _watch(self, record: JobRecord, interval_s: float) -> AsyncIterator[Update]:
        """Yield the updates of a job that another service runs, until it has ended."""
        shown: Update | None = None
        while True:
            try:
                record, latest = await self._store.watch(record)
            except JobUnknown:
                raise Cancelled("the job was closed") from None
            if record.state is not JobState.RUNNING:
                return
            if latest is not None and latest != shown:
                shown = latest
                yield latest
            await asyncio.sleep(interval_s)

    async def _keep_beating(self, interval_s: float) -> None:
        """Renew leases, notice what was closed elsewhere, and claim what nobody runs."""
        calm_s = 0.0
        while True:
            try:
                await self._beat()
                if calm_s >= CALM_S and self._engine.registry.ready:
                    await self._claim(self._engine.transcriptions.room)
                calm_s += interval_s
            except NotReady:
                calm_s = 0.0
            except Exception:
                _log.exception("beat_failed")
            await asyncio.sleep(interval_s)

    async def _beat(self) -> None:
        for name, write in list(self._owed.items()):
            with suppress(JobUnknown, JobTaken):
                await write()
            del self._owed[name]
        running = {name: job for name, job in self._running.items() if job.is_running}
        beat = await self._store.beat(
            {name: job.latest for name, job in running.items()}, tuple(self._closings)
        )
        for name in beat.closed:
            self._end(name)
        for name in beat.lost & running.keys():
            _log.warning("job_lost", job=name)
            running[name].move()

    async def _claim(self, limit: int) -> None:
        """Run jobs that no service runs."""
        if limit == 0:
            return
        for record, recording in await self._store.claim(limit):
            if record.attempts >= MAX_ATTEMPTS or record.starts >= MAX_STARTS:
                error = Internal("the service ended several times while it worked on this")
                await self._store.settle(record, **_changes(record, error))
                continue
            _log.info("job_resumed", job=record.id, attempts=record.attempts)
            self.run(record, recording)

    def _forget(self, name: str) -> None:
        """Drop a job that is over; later calls read the store and the cache."""
        job = self._running.get(name)
        if job is not None and job.is_over:
            del self._running[name]


def _changes(record: JobRecord, outcome: Rendered | NotabotError) -> Mapping[str, object]:
    """Return what is stored of an outcome; a job that was stopped with its service runs again."""
    if isinstance(outcome, Rendered):
        return {"state": JobState.DONE, "result_id": outcome.result_id}
    if isinstance(outcome, ShuttingDown | Cancelled):
        return {"attempts": record.attempts, "starts": record.starts}
    if isinstance(outcome, NotReady):  # its recording could not be read here and now
        return {}
    stored = StoredError(outcome.code, outcome.cause, dict(outcome.params))
    return {"state": JobState.FAILED, "error": stored}


def _decode(stored: StoredError) -> NotabotError:
    kind = ERRORS.get(stored.code, Internal)
    return kind(stored.cause, **stored.params)
