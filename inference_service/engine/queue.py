"""Bounded admission of requests, with an estimate of when to retry.

A request is admitted before its audio arrives, so the limit bounds memory too. A place can be held
by a :class:`Transfer`, bytes on their way from or to the caller. If these are late, the place goes
to the next who asks and would otherwise be refused. Everything here runs on the event loop's
thread.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import Final, Protocol

from inference_service.errors import QueueFull, ShuttingDown

_REMEMBERED: Final = 16
_FIRST_GUESS_S: Final = 20.0
_MIN_RETRY_S: Final = 1.0
_MAX_RETRY_S: Final = 600.0
_RESTART_S: Final = 10.0


class Transfer(Protocol):
    """Bytes on their way from or to a caller, who may be slow or not there at all."""

    @property
    def late_s(self) -> float:
        """How late the caller's side of the transfer is; 0 while it is not being waited for."""
        ...

    def give_way(self) -> None:
        """End the transfer, whose place is taken by another request."""
        ...


class Place:
    """A place, held from admission until :meth:`release`."""

    def __init__(self, caller: str, on_release: Callable[[Place], None]) -> None:
        self.caller = caller
        self._on_release = on_release
        self._transfer: Transfer | None = None

    @property
    def late_s(self) -> float:
        """How late the transfer that holds the place is; 0 if none does."""
        return 0.0 if self._transfer is None else self._transfer.late_s

    @contextmanager
    def held_by(self, transfer: Transfer) -> Iterator[None]:
        """Let the place go to somebody else during the block if the transfer is late."""
        self._transfer = transfer
        try:
            yield
        finally:
            self._transfer = None

    def give_way(self) -> None:
        """End the transfer that holds the place, and release it."""
        if self._transfer is not None:
            self._transfer.give_way()
        self.release()

    def release(self) -> None:
        """Give the place back; does nothing if that has been done."""
        self._on_release(self)


class Admission:
    """Counts admitted requests against a limit.

    Parameters
    ----------
    limit : int
        Maximum number of requests at once.
    on_leave : callable, optional
        Called after each request.
    share : float
        Part of the limit that one caller may use, rounded up.
    yield_s : float
        How late a transfer must be before it gives way.
    """

    def __init__(
        self,
        limit: int,
        on_leave: Callable[[], None] | None = None,
        *,
        share: float = 1.0,
        yield_s: float = math.inf,
    ) -> None:
        self.limit = limit
        self._caller_limit = math.ceil(limit * share)
        self._yield_s = yield_s
        self._places: dict[Place, None] = {}
        self._on_leave = on_leave
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._durations_s: deque[float] = deque(maxlen=_REMEMBERED)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def room(self) -> int:
        """Number of requests that would be admitted now."""
        return 0 if self._closed else max(0, self.limit - len(self))

    @contextmanager
    def admit(self, caller: str = "", *, beyond_limit: bool = False) -> Iterator[Place]:
        """Hold a place for the duration of the block, or until it is released.

        Parameters
        ----------
        caller : str
            Who asks; empty: the service itself, which has no share.
        beyond_limit : bool
            For a request that holds a place already, or was admitted before a restart.

        Raises
        ------
        QueueFull
            If ``limit`` requests are admitted, or the caller's share of them, and none of these
            gives way; its ``retry_after_s`` is an estimate.
        ShuttingDown
            After :meth:`close`.
        """
        if not beyond_limit:
            if self._closed:
                raise ShuttingDown("the service is shutting down", retry_after_s=_RESTART_S)
            own = [place for place in self._places if place.caller == caller]
            if caller and len(own) >= self._caller_limit:
                self._make_room(own, f"{len(own)} requests of this address are held already")
            if len(self) >= self.limit:
                self._make_room(self._places, f"{len(self)} requests are held already")
        place = Place(caller, self._leave)
        self._places[place] = None
        self._idle.clear()
        try:
            yield place
        finally:
            place.release()

    def relieve(self) -> None:
        """If all places are taken, free that of the latest transfer, if one is late enough."""
        if len(self) >= self.limit:
            self._free_latest(self._places)

    def _make_room(self, places: Iterable[Place], reason: str) -> None:
        if not self._free_latest(places):
            raise QueueFull(reason, retry_after_s=self.retry_after_s())

    def _free_latest(self, places: Iterable[Place]) -> bool:
        """Free the place of the latest transfer. Returns whether one was late enough."""
        latest = max(places, key=lambda place: place.late_s, default=None)
        if latest is None or latest.late_s < self._yield_s:
            return False
        latest.give_way()
        return True

    def _leave(self, place: Place) -> None:
        if place not in self._places:
            return
        del self._places[place]
        if not self._places:
            self._idle.set()
        if self._on_leave is not None:
            self._on_leave()

    def note_duration(self, duration_s: float) -> None:
        """Record the duration of one request's work."""
        self._durations_s.append(duration_s)

    def retry_after_s(self) -> float:
        """Estimate the time until a place is free.

        That is the mean duration of one request's work, or the time until the latest transfer must
        give way.
        """
        expected_s = fmean(self._durations_s) if self._durations_s else _FIRST_GUESS_S
        late_s = max((place.late_s for place in self._places), default=0.0)
        if late_s:
            expected_s = min(expected_s, self._yield_s - late_s)
        return round(min(max(expected_s, _MIN_RETRY_S), _MAX_RETRY_S), 1)

    def close(self) -> None:
        """Admit no more requests."""
        self._closed = True

    async def join(self) -> None:
        """Wait until all admitted requests have left."""
        await self._idle.wait()
