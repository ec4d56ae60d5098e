"""Whose turn it is: one person's recordings are worked on a few at a time, in order of arrival."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from bot.coordination import Alone, Coordination, Ticket


class Turn:
    """A place in a person's line.

    Parameters
    ----------
    coordination : Coordination
    ticket : Ticket
    limit : int
        How many at the front have their turn.
    """

    def __init__(self, coordination: Coordination, ticket: Ticket, limit: int) -> None:
        self._coordination = coordination
        self._ticket = ticket
        self._limit = limit

    async def ahead(self) -> int:
        """Return the number of earlier ones to be done before it is this one's turn; 0: it is."""
        return max(0, await self._coordination.ahead(self._ticket) + 1 - self._limit)

    async def wait(self) -> AsyncGenerator[int]:
        """Yield the number of those ahead whenever it changes, until it is this one's turn."""
        shown = 0
        while ahead := await self.ahead():
            if ahead != shown:
                shown = ahead
                yield ahead
            await self._coordination.moved(self._ticket)


class Turns:
    """A line for each person, over all bots of the token.

    Parameters
    ----------
    limit : int
        How many of a person's recordings are worked on at once.
    waiting : int
        How many more may wait.
    coordination : Coordination, optional
        With the other bots.
    """

    def __init__(self, limit: int, waiting: int, coordination: Coordination | None = None) -> None:
        self._limit = limit
        self._waiting = waiting
        self._coordination = coordination or Alone()

    @asynccontextmanager
    async def join(self, person: int, *, beyond_limit: bool = False) -> AsyncIterator[Turn | None]:
        """Stand in a person's line; yields None if it is full.

        Parameters
        ----------
        person : int
        beyond_limit : bool
            For a recording that had joined before a restart.
        """
        most = None if beyond_limit else self._limit + self._waiting
        ticket = await self._coordination.join(f"person:{person}", most)
        if ticket is None:
            yield None
            return
        try:
            yield Turn(self._coordination, ticket, self._limit)
        finally:
            await self._coordination.leave(ticket)
