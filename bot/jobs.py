"""Running requests: whose they are, and how to stop them.

This state lives in memory, and only as long as the request does.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Coroutine, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeVar

MAX_FINISHED: Final = 10_000

T = TypeVar("T")


class Stop(Enum):
    """Why a job was stopped before it was done."""

    REQUESTER = auto()
    SHUTDOWN = auto()


class JobStoppedError(Exception):
    """A job was stopped while its caller waited for it."""

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason.name)
        self.reason = reason


class CancelAnswer(Enum):
    """The outcome of a press on a cancel button."""

    STOPPED = auto()
    NOT_YOURS = auto()
    NOT_RUNNING = auto()


@dataclass(slots=True)
class _Job:
    user_id: int
    task: asyncio.Task[Any]
    stopped: Stop | None = None


class Jobs:
    """Running jobs by id, the number of jobs of each person, and outcomes of finished jobs.

    Attributes
    ----------
    outcomes : Counter
        Number of jobs by outcome since the start; see :meth:`bot.attendant.Attendant.serve`.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self._jobs: dict[str, _Job] = {}
        self._claimed: set[str] = set()
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._held: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self._jobs)

    @contextmanager
    def slot(self, holder: Hashable, limit: int) -> Iterator[bool]:
        """Hold one of the holder's ``limit`` places; yields False if all are taken."""
        if self._held[holder] >= limit:
            yield False
            return
        self._held[holder] += 1
        try:
            yield True
        finally:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Be the one who works on a job of the service; yields False if somebody does."""
        if key in self._claimed:
            yield False
            return
        self._claimed.add(key)
        try:
            yield True
        finally:
            self._claimed.discard(key)

    def is_claimed(self, key: str) -> bool:
        """Whether somebody works on a job of the service."""
        return key in self._claimed

    def finish(self, key: str) -> None:
        """Remember that nothing is left to do for a job, even if the service was not told."""
        self._finished[key] = None
        while len(self._finished) > MAX_FINISHED:
            self._finished.popitem(last=False)

    def is_finished(self, key: str) -> bool:
        """Whether nothing is left to do for a job."""
        return key in self._finished

    async def run(self, job_id: str, user_id: int, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` so that :meth:`cancel` and :meth:`stop_all` can end it.

        Raises
        ------
        JobStoppedError
            If one of these ended it.
        """
        task = asyncio.create_task(work)
        job = self._jobs[job_id] = _Job(user_id, task)
        try:
            return await task
        except asyncio.CancelledError:
            if job.stopped is None:
                raise
            raise JobStoppedError(job.stopped) from None
        finally:
            task.cancel()
            del self._jobs[job_id]
            del task, job  # a failed task holds an exception, which refers to this frame

    def cancel(self, job_id: str, user_id: int) -> CancelAnswer:
        """Stop a job if it belongs to this person."""
        job = self._jobs.get(job_id)
        if job is None or job.stopped is not None or job.task.done():
            return CancelAnswer.NOT_RUNNING
        if job.user_id != user_id:
            return CancelAnswer.NOT_YOURS
        _stop(job, Stop.REQUESTER)
        return CancelAnswer.STOPPED

    def stop_reason(self, job_id: str) -> Stop | None:
        """Why a running job is being stopped; None if it is not."""
        job = self._jobs.get(job_id)
        return None if job is None else job.stopped

    def stop_all(self) -> None:
        """Stop every job because the bot shuts down."""
        for job in self._jobs.values():
            _stop(job, Stop.SHUTDOWN)


def _stop(job: _Job, reason: Stop) -> None:
    if job.stopped is None:
        job.stopped = reason
        job.task.cancel()


class RunningUpdates:
    """Tasks that are handling an update, for a shutdown to wait for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def track(self) -> Iterator[None]:
        """Count the current task as running."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    async def wait(self, timeout_s: float) -> bool:
        """Wait until every other task is done; False if the time ran out first."""
        pending = self._others()
        if pending:
            await asyncio.wait(pending, timeout=timeout_s)
        return not self._others()

    def cancel(self) -> None:
        """Cancel every other task."""
        for task in self._others():
            task.cancel()

    def _others(self) -> set[asyncio.Task[Any]]:
        return {task for task in self._tasks if task is not asyncio.current_task()}
