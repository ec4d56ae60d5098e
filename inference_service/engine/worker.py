"""Threads that run jobs, which are followed and cancelled from the event loop.

A :class:`Worker` mostly owns one thread, which runs jobs one at a time. A resource that must not be
used by two jobs at once is used by that thread alone. Where the work itself is done elsewhere, or
jobs share a GPU, a worker owns as many threads as jobs may be under way. A :class:`Job` is created
and followed on the event loop. Its work runs in the thread and calls ``progress``, which sends an
update to the event loop, and raises ``Cancelled`` or ``DeadlineExceeded`` to stop the work.

A job may have to be prepared, as a recording is decoded before the device can use it. Jobs are
prepared in further threads, all at once, while they wait for their turn. A job that is still being
prepared when its turn comes lets the others pass.

Short jobs come before long ones. A job is due :data:`PATIENCE` times its expected duration after
it arrived, and the job that is due first is taken first. So a job that takes a minute is passed by
shorter ones that arrive in the next :data:`PATIENCE` minutes, and by no later ones. A job that
waits past its deadline ends then.

Whatever a job leaves, its work, an exception, and the frames that the exception has passed through,
is dropped when it ends. Otherwise a recording would be kept until the next full garbage collection,
which may be hours away: an exception, its traceback and the frames refer to each other.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

from inference_service.engine.progress_meter import ProgressMeter, StageUpdate
from inference_service.errors import Cancelled, DeadlineExceeded, NotabotError, drop_frames
from inference_service.progress import Progress, Stage

T = TypeVar("T")
R = TypeVar("R")
Work: TypeAlias = Callable[[Progress], T]

PATIENCE: Final = 3.0

_UPDATE_INTERVAL_S: Final = 0.1
_ANNOUNCE_INTERVAL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Position:
    """A job's place in the queue.

    Attributes
    ----------
    ahead : int
        Number of jobs ahead of this one; 0 when it is about to start.
    remaining_s : float
        Estimate of the seconds until this job's request has ended.
    """

    ahead: int
    remaining_s: float


Update = Position | StageUpdate


class Job(Generic[T]):
    """Work for a :class:`Worker`, followed from the event loop.

    As an async context manager, it cancels the work if the block is left before the work has ended.

    Parameters
    ----------
    work : callable, optional
        Runs in the worker's thread.
    meter : ProgressMeter
        Turns the work's reports into updates.
    deadline_s : float
        On ``time.monotonic``'s clock.
    prepare : callable, optional
        Runs in another thread before the job's turn, and returns ``work``.
    before : Stage, optional
        The first stage that the meter knows of but another job does.
    """

    def __init__(
        self,
        work: Work[T] | None,
        meter: ProgressMeter,
        deadline_s: float,
        prepare: Callable[[Progress], Work[T]] | None = None,
        before: Stage | None = None,
    ) -> None:
        self._before = before
        self._arrived_s = time.monotonic()
        self._work = work
        self._prepare = prepare
        self._meter = meter
        self._deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._outcome: asyncio.Future[T] = self._loop.create_future()
        # The latest update of each kind, in order of arrival: a slow reader costs no memory.
        self._updates: dict[object, Update] = {}
        self._changed = asyncio.Event()
        self._stop_reason: NotabotError | None = None
        self._stopped_s = math.inf
        self._ahead: int | None = None
        self._posted_s = 0.0
        self._posted_stage: Stage | None = None
        self._latest: StageUpdate | None = None
        self.worked_s = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel(Cancelled("the caller went away"))

    @property
    def done(self) -> bool:
        """Whether the job has ended."""
        return self._outcome.done()

    @property
    def ready(self) -> bool:
        """Whether the job is prepared, or needs no preparation."""
        return self._work is not None

    @property
    def stopped(self) -> bool:
        """Whether the job was cancelled before its end."""
        return self._stop_reason is not None

    @property
    def overdue_s(self) -> float:
        """How long ago the thread should have stopped: the job was cancelled, or out of time."""
        return max(0.0, time.monotonic() - min(self._deadline_s, self._stopped_s))

    @property
    def work_s(self) -> float:
        """Expected seconds of the work that is left."""
        return self._meter.remaining_s(self._before)

    @property
    def due_s(self) -> float:
        """When shorter jobs that arrive no longer pass it, on the monotonic clock."""
        return self._arrived_s + PATIENCE * self.work_s

    def expire_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the job end at its deadline, even if nothing has begun by then."""
        late = DeadlineExceeded("the request ran out of its time")
        delay_s = max(0.0, self._deadline_s - time.monotonic())
        timer = loop.call_later(delay_s, self.cancel, late)
        self._outcome.add_done_callback(lambda _: timer.cancel())

    def cancel(self, reason: NotabotError) -> None:
        """End with ``reason``: at once for the event loop, at the next report for the thread."""
        if not self.done:
            self._stop_reason = reason
            self._stopped_s = time.monotonic()
            self._settle_error(reason)

    async def updates(self) -> AsyncIterator[Update]:
        """Yield updates until the job has ended; of several unread ones for a stage, the latest."""
        while not (self.done and not self._updates):
            if self._updates:
                key = next(iter(self._updates))
                yield self._updates.pop(key)
            else:
                self._changed.clear()
                await self._changed.wait()

    async def result(self) -> T:
        """Wait for the result of the work, or raise its exception."""
        return await asyncio.shield(self._outcome)

    def announce(self, ahead: int, wait_s: float) -> None:
        """Post the job's place in the queue.

        Parameters
        ----------
        ahead : int
            Number of jobs ahead.
        wait_s : float
            Expected seconds of their work.
        """
        if ahead or self._ahead != 0:
            self._ahead = ahead
            self._post(Position, Position(ahead, wait_s + self._meter.remaining_s()))

    def tell_time(self) -> None:
        """Post the latest progress with the seconds that are left now."""
        if self._latest is not None:
            update = replace(self._latest, remaining_s=self._meter.remaining_s())
            self._post(update.stage, update)

    def prepare(self) -> None:
        """Prepare the work, if that is needed; called in another thread."""
        self._run(self._take_preparation, self._set_work)

    def execute(self) -> None:
        """Do the work; called in the worker's thread."""
        start_s = time.perf_counter()
        self._run(
            self._take_work, lambda result: self._loop.call_soon_threadsafe(self._settle, result)
        )
        self.worked_s = time.perf_counter() - start_s

    def _run(self, take: Callable[[], Work[R] | None], use: Callable[[R], object]) -> None:
        """Take a step, and pass its result on or end the job with the error that it raises."""
        step = take()
        if step is None:  # cancelled a moment ago
            return
        failure: BaseException | None = None
        try:
            self._check()
            result = self._context.run(step, self._progress)
        except BaseException as error:
            failure = error
        finally:
            # Before anybody sees the failure: its traceback leads to this frame, and whoever reads
            # the variables of a running frame, as a logger may, leaves a copy of them in it.
            del step
        self._meter.stop()
        if failure is None:
            use(result)
            return
        drop_frames(failure)
        self._loop.call_soon_threadsafe(self._settle_error, failure)
        del failure  # it leads to this frame, too

    def _take_preparation(self) -> Callable[[Progress], Work[T]] | None:
        prepare, self._prepare = self._prepare, None
        return prepare

    def _take_work(self) -> Work[T] | None:
        work, self._work = self._work, None
        return work

    def _set_work(self, work: Work[T]) -> None:
        self._work = work

    def _progress(self, stage: Stage, fraction: float) -> None:
        self._check()
        update = self._meter.update(stage, fraction)
        now_s = time.monotonic()
        is_news = stage is not self._posted_stage or fraction >= 1.0
        if is_news or now_s - self._posted_s >= _UPDATE_INTERVAL_S:
            self._posted_stage, self._posted_s, self._latest = stage, now_s, update
            self._loop.call_soon_threadsafe(self._post, stage, update)

    def _check(self) -> None:
        if self._stop_reason is not None:
            raise copy(self._stop_reason)  # which the event loop raises too
        if time.monotonic() > self._deadline_s:
            raise DeadlineExceeded("the request ran out of its time")

    def _post(self, key: object, update: Update) -> None:
        # While a job waits, its position is what its follower wants to know.
        if not self.done and not (self._ahead and isinstance(update, StageUpdate)):
            self._updates[key] = update
            self._changed.set()

    def _settle(self, result: T) -> None:
        if not self.done:
            self._outcome.set_result(result)
            self._changed.set()

    def _settle_error(self, error: BaseException) -> None:
        self._work = self._prepare = None
        if not self.done:
            self._outcome.set_exception(error)
            self._outcome.exception()  # retrieved, or asyncio would log it as never retrieved
            self._changed.set()


class Worker:
    """Runs jobs: of those that are ready, that which is due first.

    Parameters
    ----------
    name : str
        Name of the threads.
    on_done : callable, optional
        Called with the duration of a job in seconds, unless it was cancelled.
    preparing : int
        Maximum number of jobs prepared at once.
    width : int
        Maximum number of jobs that run at once.
    """

    def __init__(
        self,
        name: str,
        on_done: Callable[[float], None] | None = None,
        preparing: int = 1,
        width: int = 1,
    ) -> None:
        self.name = name
        self._width = width
        self._executor = ThreadPoolExecutor(width, thread_name_prefix=name)
        self._preparers = ThreadPoolExecutor(preparing, thread_name_prefix=f"{name}-preparer")
        self._on_done = on_done
        self._waiting: list[Job[Any]] = []
        self._running: dict[asyncio.Future[None], Job[Any]] = {}
        self._threads = asyncio.Semaphore(width)
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._announcing: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """Number of jobs that are running."""
        return len(self._running)

    @property
    def overdue_s(self) -> float:
        """How long a thread has been working on a job that should have stopped."""
        return max((job.overdue_s for job in self._running.values()), default=0.0)

    @property
    def waiting(self) -> int:
        """Number of jobs that have not begun."""
        return sum(not job.done for job in self._waiting)

    def start(self) -> None:
        """Start running jobs; until then they wait."""
        self._task = asyncio.create_task(self._run())
        self._announcing = asyncio.create_task(self._announce_on())

    def submit(self, job: Job[T]) -> Job[T]:
        """Queue a job; its position is posted now and whenever it changes."""
        loop = asyncio.get_running_loop()
        job.expire_on(loop)
        self._waiting.append(job)
        self._announce()
        if job.ready:
            self._arrived.set()
        else:
            preparing = loop.run_in_executor(self._preparers, job.prepare)
            preparing.add_done_callback(lambda _: self._arrived.set())
        return job

    def cancel_all(self, reason: NotabotError) -> None:
        """Cancel every job with ``reason``."""
        for job in (*self._waiting, *self._running.values()):
            job.cancel(reason)

    async def close(self, grace_s: float) -> bool:
        """Stop taking jobs and wait for those that run. Returns whether they ended in time."""
        for task in filter(None, (self._task, self._announcing)):
            task.cancel()
        for executor in (self._executor, self._preparers):
            executor.shutdown(wait=False, cancel_futures=True)
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        return not self._running

    async def _run(self) -> None:
        while True:
            await self._threads.acquire()
            self._begin(await self._next())

    def _begin(self, job: Job[Any]) -> None:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._executor, job.execute)
        self._running[work] = job
        work.add_done_callback(self._finish)
        job.announce(0, 0.0)
        self._announce()

    async def _next(self) -> Job[Any]:
        """Wait for a job that is ready; take the one that is due first from the queue."""
        while True:
            self._arrived.clear()
            self._waiting = [job for job in self._waiting if not job.done]
            ready = [job for job in self._waiting if job.ready]
            if ready:
                job = min(ready, key=lambda job: job.due_s)
                self._waiting.remove(job)
                return job
            await self._arrived.wait()

    def _finish(self, work: asyncio.Future[None]) -> None:
        job = self._running.pop(work)
        self._threads.release()
        if not job.stopped and self._on_done is not None:
            self._on_done(job.worked_s)

    def _announce(self) -> None:
        """Post the places of all jobs that wait."""
        ahead = 1 + len(self._running) - self._width
        wait_s = sum(job.work_s for job in self._running.values())
        waiting = [job for job in self._waiting if not job.done]
        for job in sorted(waiting, key=lambda job: job.due_s):
            # Without others ahead it only waits to be prepared: a thread is free.
            job.announce(max(0, ahead), wait_s / self._width if ahead > 0 else 0.0)
            ahead += 1
            wait_s += job.work_s

    async def _announce_on(self) -> None:
        """Post places and times now and then, since estimates change and stages may be silent."""
        while True:
            await asyncio.sleep(_ANNOUNCE_INTERVAL_S)
            self._announce()
            for job in self._running.values():
                job.tell_time()
