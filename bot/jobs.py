"""Running requests: whose they are, and how to stop them.

This state lives in memory, and only as long as the request does. Several bots of one token agree
on what one person has running, and a press on "cancel" stops a job of any of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeVar

from bot.coordination import DAY_S, Alone, Coordination

LOOK_S: Final = 0.3
"""Between two looks for what was cancelled with the help of another bot."""

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

    Parameters
    ----------
    coordination : Coordination, optional
        With the other bots.

    Attributes
    ----------
    outcomes : Counter
        Number of jobs by outcome since the start; see :meth:`bot.attendant.Attendant.serve`.
    """

    def __init__(self, coordination: Coordination | None = None) -> None:
        self.outcomes: Counter[str] = Counter()
        self._coordination = coordination or Alone()
        self._jobs: dict[str, _Job] = {}
        self._claimed: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    @asynccontextmanager
    async def slot(self, holder: Hashable, limit: int) -> AsyncIterator[bool]:
        """Hold one of the holder's ``limit`` places; yields False if all are taken."""
        ticket = await self._coordination.join(f"slot:{holder}", limit)
        try:
            yield ticket is not None
        finally:
            if ticket is not None:
                await self._coordination.leave(ticket)

    @asynccontextmanager
    async def claim(self, key: str) -> AsyncIterator[bool]:
        """Be the one who works on a job of the service; yields False if somebody does."""
        ticket = await self._coordination.join(f"job:{key}", 1)
        if ticket is None:
            yield False
            return
        self._claimed.add(key)
        try:
            yield True
        finally:
            self._claimed.discard(key)
            await self._coordination.leave(ticket)

    def is_claimed(self, key: str) -> bool:
        """Whether this bot works on a job of the service."""
        return key in self._claimed

    async def finish(self, key: str) -> None:
        """Remember that nothing is left to do for a job, even if the service was not told."""
        await self._coordination.note(f"finished:{key}", "", DAY_S)

    async def is_finished(self, key: str) -> bool:
        """Whether nothing is left to do for a job."""
        [finished] = await self._coordination.find(f"finished:{key}")
        return finished is not None

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
            await self._announce(job_id, user_id)
            return await task
        except asyncio.CancelledError:
            if job.stopped is None:
                raise
            raise JobStoppedError(job.stopped) from None
        finally:
            task.cancel()
            del self._jobs[job_id]
            del task, job  # a failed task holds an exception, which refers to this frame
            if self._coordination.is_shared:
                await self._coordination.erase(f"running:{job_id}")

    async def cancel(self, job_id: str, user_id: int) -> CancelAnswer:
        """Stop a job if it belongs to this person."""
        job = self._jobs.get(job_id)
        if job is None and self._coordination.is_shared:
            return await self._cancel_elsewhere(job_id, user_id)
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

    async def _announce(self, job_id: str, user_id: int) -> None:
        """Let other bots cancel a job, which may have been cancelled before it began here."""
        if not self._coordination.is_shared:
            return
        await self._coordination.note(f"running:{job_id}", str(user_id), DAY_S)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_for_cancelled())

    async def _cancel_elsewhere(self, job_id: str, user_id: int) -> CancelAnswer:
        [owner] = await self._coordination.find(f"running:{job_id}")
        if owner is None:
            return CancelAnswer.NOT_RUNNING
        if owner != str(user_id):
            return CancelAnswer.NOT_YOURS
        await self._coordination.note(f"cancelled:{job_id}", "", DAY_S)
        return CancelAnswer.STOPPED

    async def _look_for_cancelled(self) -> None:
        while self._jobs:
            names = list(self._jobs)
            notes = await self._coordination.find(*(f"cancelled:{name}" for name in names))
            for name, note in zip(names, notes, strict=True):
                if note is not None and (job := self._jobs.get(name)) is not None:
                    await self._coordination.erase(f"cancelled:{name}")
                    _stop(job, Stop.REQUESTER)
            await asyncio.sleep(LOOK_S)


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
