"""Bounded admission of requests, with an estimate of when to retry.

A request is admitted before its audio arrives and leaves when its last byte is sent, so the limit
bounds memory too. Everything here runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import Final

from inference_service.errors import QueueFull, ShuttingDown

_REMEMBERED: Final = 16
_FIRST_GUESS_S: Final = 20.0
_MIN_RETRY_S: Final = 1.0
_MAX_RETRY_S: Final = 600.0
_RESTART_S: Final = 10.0


class Admission:
    """Counts admitted requests against a limit.

    Parameters
    ----------
    limit : int
        Maximum number of requests at once.
    share : float
        Part of the limit that one caller may use, rounded up.
    on_leave : callable, optional
        Called after each request.
    """

    def __init__(
        self, limit: int, on_leave: Callable[[], None] | None = None, *, share: float = 1.0
    ) -> None:
        self.limit = limit
        self._caller_limit = math.ceil(limit * share)
        self._callers: Counter[str] = Counter()
        self._on_leave = on_leave
        self._inside = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._durations_s: deque[float] = deque(maxlen=_REMEMBERED)

    def __len__(self) -> int:
        return self._inside

    @contextmanager
    def admit(self, caller: str = "", *, beyond_limit: bool = False) -> Iterator[None]:
        """Hold a place for the duration of the block.

        Parameters
        ----------
        caller : str
            Who asks; empty: the service itself, which has no share.
        beyond_limit : bool
            For a request that holds a place already, or was admitted before a restart.

        Raises
        ------
        QueueFull
            If ``limit`` requests are admitted, or the caller's share of them; its
            ``retry_after_s`` is an estimate.
        ShuttingDown
            After :meth:`close`.
        """
        if self._closed and not beyond_limit:
            raise ShuttingDown("the service is shutting down", retry_after_s=_RESTART_S)
        if self._inside >= self.limit and not beyond_limit:
            raise QueueFull(
                f"{self._inside} requests are held already", retry_after_s=self.retry_after_s()
            )
        if self._callers[caller] >= self._caller_limit and caller and not beyond_limit:
            raise QueueFull(
                f"{self._callers[caller]} requests of this address are held already",
                retry_after_s=self.retry_after_s(),
            )
        self._inside += 1
        self._callers[caller] += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._inside -= 1
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]
            if not self._inside:
                self._idle.set()
            if self._on_leave is not None:
                self._on_leave()

    def note_duration(self, duration_s: float) -> None:
        """Record the duration of one request's work."""
        self._durations_s.append(duration_s)

    def retry_after_s(self) -> float:
        """Estimate the time until a place is free: the mean duration of one request's work."""
        expected_s = fmean(self._durations_s) if self._durations_s else _FIRST_GUESS_S
        return round(min(max(expected_s, _MIN_RETRY_S), _MAX_RETRY_S), 1)

    def close(self) -> None:
        """Admit no more requests."""
        self._closed = True

    async def join(self) -> None:
        """Wait until all admitted requests have left."""
        await self._idle.wait()
