"""Whose turn it is: one person's recordings are worked on a few at a time, in order of arrival."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable, Iterator
from contextlib import contextmanager


class Turn:
    """A place in a person's line.

    Parameters
    ----------
    line : list of Turn
        In order of arrival.
    limit : int
        How many at the front have their turn.
    """

    def __init__(self, line: list[Turn], limit: int) -> None:
        self._line = line
        self._limit = limit
        self._moved = asyncio.Event()

    @property
    def ahead(self) -> int:
        """Number of earlier ones to be done before it is this one's turn; 0: it is."""
        return max(0, self._line.index(self) + 1 - self._limit)

    async def wait(self) -> AsyncGenerator[int]:
        """Yield the number of those ahead whenever it changes, until it is this one's turn."""
        while ahead := self.ahead:
            yield ahead
            self._moved.clear()
            await self._moved.wait()

    def move(self) -> None:
        """Notice that somebody has left the line."""
        self._moved.set()


class Turns:
    """A line for each person.

    Parameters
    ----------
    limit : int
        How many of a person's recordings are worked on at once.
    waiting : int
        How many more may wait.
    """

    def __init__(self, limit: int, waiting: int) -> None:
        self._limit = limit
        self._waiting = waiting
        self._lines: dict[Hashable, list[Turn]] = {}

    @contextmanager
    def join(self, person: Hashable, *, beyond_limit: bool = False) -> Iterator[Turn | None]:
        """Stand in a person's line; yields None if it is full.

        Parameters
        ----------
        person : Hashable
        beyond_limit : bool
            For a recording that had joined before a restart.
        """
        line = self._lines.setdefault(person, [])
        if len(line) >= self._limit + self._waiting and not beyond_limit:
            yield None
            return
        turn = Turn(line, self._limit)
        line.append(turn)
        try:
            yield turn
        finally:
            line.remove(turn)
            for other in line:
                other.move()
            if not line:
                del self._lines[person]
