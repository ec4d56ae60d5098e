"""What bots of one token agree upon: who does something, in which order, and what must stop.

One bot agrees with itself, in memory (:class:`Alone`). Several behind one webhook agree through a
server that they share (:mod:`bot.shared.coordination`).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Protocol

from bot.errors import BotError, BotErrorCode

MAX_NOTES: Final = 20_000
DAY_S: Final = 86_400.0

_REMEMBERED_CHATS: Final = 1000


class CoordinationAwayError(BotError):
    """The server that bots share does not answer."""

    def __init__(self) -> None:
        super().__init__(BotErrorCode.SERVICE_UNREACHABLE)


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A place in a line."""

    line: str
    member: str = ""
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Coordination(Protocol):
    """Lines, notes and turns that every bot of the token sees.

    A line has the tickets of those who do something, or wait for it, in the order in which they
    joined. The tickets of a bot that has gone are dropped.
    """

    is_shared: bool
    """Whether there may be other bots."""

    async def check(self) -> None:
        """Do nothing if the bots can agree now.

        Raises
        ------
        CoordinationAwayError
            Until they can, each bot agrees with itself.
        """
        ...

    async def join(self, line: str, limit: int | None = None) -> Ticket | None:
        """Join a line at its end; None if it has ``limit`` tickets."""
        ...

    async def ahead(self, ticket: Ticket) -> int:
        """Return the number of tickets ahead of one."""
        ...

    async def moved(self, ticket: Ticket) -> None:
        """Wait until the line may have moved."""
        ...

    async def leave(self, ticket: Ticket) -> None:
        """Give a place up."""
        ...

    async def note(self, name: str, value: str, ttl_s: float) -> None:
        """Write a note, which is kept for a while."""
        ...

    async def find(self, *names: str) -> list[str | None]:
        """Return notes; None where there is none."""
        ...

    async def erase(self, name: str) -> None:
        """Delete a note."""
        ...

    async def reserve(self, chat: str, interval_s: float) -> float:
        """Take the next turn of a chat; returns the time until it.

        Parameters
        ----------
        chat : str
        interval_s : float
            From this turn to the next.
        """
        ...

    async def postpone(self, chat: str, wait_s: float) -> None:
        """Let no turn of a chat come before a time from now."""
        ...


class Alone:
    """The agreement of a bot with itself: nothing here waits, except :meth:`moved`."""

    is_shared = False

    def __init__(self) -> None:
        self._lines: dict[str, list[Ticket]] = {}
        self._notes: OrderedDict[str, str] = OrderedDict()
        self._next_turn_s: dict[str, float] = {}

    async def check(self) -> None:
        """Do nothing."""

    async def join(self, line: str, limit: int | None = None) -> Ticket | None:
        """Join a line at its end; None if it has ``limit`` tickets."""
        tickets = self._lines.get(line, [])
        if limit is not None and len(tickets) >= limit:
            return None
        ticket = Ticket(line)
        self._lines[line] = [*tickets, ticket]
        return ticket

    async def ahead(self, ticket: Ticket) -> int:
        """Return the number of tickets ahead of one."""
        ticket.moved.clear()
        return self._lines[ticket.line].index(ticket)

    async def moved(self, ticket: Ticket) -> None:
        """Wait until somebody has left since :meth:`ahead` was asked."""
        await ticket.moved.wait()

    async def leave(self, ticket: Ticket) -> None:
        """Give a place up."""
        tickets = [other for other in self._lines[ticket.line] if other is not ticket]
        for other in tickets:
            other.moved.set()
        if tickets:
            self._lines[ticket.line] = tickets
        else:
            del self._lines[ticket.line]

    async def note(self, name: str, value: str, ttl_s: float) -> None:
        """Write a note; of very many, the oldest are forgotten."""
        self._notes[name] = value
        while len(self._notes) > MAX_NOTES:
            self._notes.popitem(last=False)

    async def find(self, *names: str) -> list[str | None]:
        """Return notes; None where there is none."""
        return [self._notes.get(name) for name in names]

    async def erase(self, name: str) -> None:
        """Delete a note."""
        self._notes.pop(name, None)

    async def reserve(self, chat: str, interval_s: float) -> float:
        """Take the next turn of a chat; returns the time until it."""
        now_s = time.monotonic()
        turn_s = max(now_s, self._next_turn_s.get(chat, now_s))
        self._next_turn_s[chat] = turn_s + interval_s
        if len(self._next_turn_s) > _REMEMBERED_CHATS:
            self._next_turn_s = {
                other: next_s for other, next_s in self._next_turn_s.items() if next_s > now_s
            }
        return turn_s - now_s

    async def postpone(self, chat: str, wait_s: float) -> None:
        """Let no turn of a chat come before a time from now."""
        not_before_s = time.monotonic() + wait_s
        self._next_turn_s[chat] = max(self._next_turn_s.get(chat, 0.0), not_before_s)
