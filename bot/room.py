"""Bounds on what the bot holds in memory at once, whoever sent it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Place:
    """One place of a :class:`Room`: taken when it is needed, given back when its block ends."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._is_taken = False

    async def take(self) -> None:
        """Wait until the place is free; does nothing if it is taken already."""
        if not self._is_taken:
            await self._free.acquire()
            self._is_taken = True

    def give_back(self) -> None:
        """Let the next one in; does nothing if the place was not taken."""
        if self._is_taken:
            self._is_taken = False
            self._free.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.give_back()


class Room:
    """A limit on how many requests do something at once; the others wait.

    Parameters
    ----------
    limit : int
    """

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)

    def place(self) -> Place:
        """Return a place, which is not taken yet."""
        return Place(self._free)
