"""A limited wait for a caller, which ends early if somebody else needs the place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inference_service.errors import DeadlineExceeded


class Wait:
    """Waits for a caller, one after another."""

    def __init__(self) -> None:
        self._timeout: asyncio.Timeout | None = None
        self._has_given_way = False
        self._since_s = 0.0
        self._lasted_s = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the caller is being waited for."""
        return self._timeout is not None

    @property
    def lasted_s(self) -> float:
        """Duration of the present wait, or else of the last one."""
        return time.monotonic() - self._since_s if self.is_on else self._lasted_s

    def give_way(self) -> None:
        """End the present wait, or else the next one."""
        self._has_given_way = True
        if self._timeout is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def limited(self, limit_s: float, reason: str) -> AsyncIterator[None]:
        """Wait for the caller in the block.

        Raises
        ------
        DeadlineExceeded
            After ``limit_s``, or when the wait has to give way; ``reason`` is its cause.
        """
        self._since_s = time.monotonic()
        timeout = asyncio.timeout(0.0 if self._has_given_way else limit_s)
        try:
            async with timeout:
                self._timeout = timeout
                yield
        except TimeoutError:
            if not timeout.expired():
                raise
            if self._has_given_way:
                reason += ", and others were waiting for its place"
            raise DeadlineExceeded(reason) from None
        finally:
            self._lasted_s = time.monotonic() - self._since_s
            self._timeout = None
