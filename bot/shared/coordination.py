"""The agreement of several bots of one token, through Valkey or Redis.

A line is a sorted set of tickets, each with the name of its bot. A bot says once a second that it
is there; tickets of one that has not said so for :data:`ALIVE_S` are dropped by whoever looks at
their line. Notes and turns are keys that expire. While the server is away each bot agrees with
itself, so that buttons go on working.

Scripts name keys that they compute, so the server must not be a cluster with several slots.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from bot.coordination import DAY_S, Alone, CoordinationAwayError, Ticket
from bot.shared.state import PREFIX, SharedState

ALIVE_S: Final = 6.0
BEAT_S: Final = 1.0
POLL_S: Final = 0.3

_ALIVE: Final = f"{PREFIX}alive:"
_LINE: Final = f"{PREFIX}line:"
_NOTE: Final = f"{PREFIX}note:"
_TURN: Final = f"{PREFIX}turn:"
_COUNTER: Final = f"{PREFIX}tickets"

_PRUNE: Final = """
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local bot = string.match(member, '^[^:]+')
    if bot ~= ARGV[1] and redis.call('EXISTS', ARGV[2] .. bot) == 0 then
        redis.call('ZREM', KEYS[1], member)
    end
end
"""
"""Key: line. Arguments: this bot, prefix of the keys by which bots say that they are there."""

_JOIN: Final = (
    _PRUNE
    + """
local limit = tonumber(ARGV[4])
if limit >= 0 and redis.call('ZCARD', KEYS[1]) >= limit then
    return 0
end
redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[2]), ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', ARGV[2] .. ARGV[1], '', 'PX', ARGV[6])
return 1
"""
)
"""Keys: line, counter. Further arguments: ticket, limit or -1, time until a line is forgotten, and
time until the bot is missed."""

_AHEAD: Final = _PRUNE + "return redis.call('ZRANK', KEYS[1], ARGV[3]) or 0"
"""Further argument: ticket."""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local turn = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
"""

_RESERVE: Final = (
    _NOW
    + """
local after = turn + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', after - now + 1000)
return turn - now
"""
)
"""Key: turn. Argument: interval."""

_POSTPONE: Final = (
    _NOW
    + """
local after = math.max(turn, now + tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', after - now + 1000)
"""
)
"""Key: turn. Argument: time from now."""


class SharedCoordination:
    """Lines, notes and turns of several bots; entered as an asynchronous context.

    Parameters
    ----------
    state : SharedState
    """

    is_shared = True

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._alone = Alone()
        self._bot = secrets.token_hex(8)
        self._numbers = itertools.count()
        register = state.client.register_script
        self._join: Any = register(_JOIN)
        self._ahead: Any = register(_AHEAD)
        self._reserve: Any = register(_RESERVE)
        self._postpone: Any = register(_POSTPONE)

    @asynccontextmanager
    async def taking_part(self) -> AsyncIterator[None]:
        """Say that this bot is there, until the context ends."""
        with suppress(CoordinationAwayError):
            await self._say_so()
        saying = asyncio.create_task(self._keep_saying_so())
        try:
            yield
        finally:
            saying.cancel()
            await asyncio.wait([saying], timeout=BEAT_S)
            with suppress(CoordinationAwayError):
                await self._state.ask(self._state.client.delete(_ALIVE + self._bot))

    async def check(self) -> None:
        """Do nothing if the server answers.

        Raises
        ------
        CoordinationAwayError
        """
        await self._state.ask(self._state.client.ping())

    async def join(self, line: str, limit: int | None = None) -> Ticket | None:
        """Join a line at its end; None if it has ``limit`` tickets."""
        ticket = Ticket(line, f"{self._bot}:{next(self._numbers)}")
        most = -1 if limit is None else limit
        try:
            has_joined = await self._state.ask(
                self._join(
                    [_LINE + line, _COUNTER],
                    [
                        self._bot,
                        _ALIVE,
                        ticket.member,
                        most,
                        int(DAY_S * 1000),
                        int(ALIVE_S * 1000),
                    ],
                )
            )
        except CoordinationAwayError:
            return await self._alone.join(line, limit)
        return ticket if has_joined else None

    async def ahead(self, ticket: Ticket) -> int:
        """Return the number of tickets ahead of one; 0 if the server has forgotten it."""
        if not ticket.member:
            return await self._alone.ahead(ticket)
        try:
            return int(
                await self._state.ask(
                    self._ahead([_LINE + ticket.line], [self._bot, _ALIVE, ticket.member])
                )
            )
        except CoordinationAwayError:
            return 0

    async def moved(self, ticket: Ticket) -> None:
        """Wait a moment."""
        if ticket.member:
            await asyncio.sleep(POLL_S)
        else:
            await self._alone.moved(ticket)

    async def leave(self, ticket: Ticket) -> None:
        """Give a place up. If the server is away, it is given up with this bot."""
        if not ticket.member:
            await self._alone.leave(ticket)
            return
        leaving = self._state.client.zrem(_LINE + ticket.line, ticket.member)
        with suppress(CoordinationAwayError):
            await asyncio.shield(self._state.ask(leaving))

    async def note(self, name: str, value: str, ttl_s: float) -> None:
        """Write a note, which is kept for a while."""
        writing = self._state.client.set(_NOTE + name, value, px=int(ttl_s * 1000))
        try:
            await self._state.ask(writing)
        except CoordinationAwayError:
            await self._alone.note(name, value, ttl_s)

    async def find(self, *names: str) -> list[str | None]:
        """Return notes; None where there is none."""
        reading = self._state.client.mget([_NOTE + name for name in names])
        try:
            found = await self._state.ask(reading)
        except CoordinationAwayError:
            return await self._alone.find(*names)
        return [None if value is None else value.decode() for value in found]

    async def erase(self, name: str) -> None:
        """Delete a note."""
        await self._alone.erase(name)
        with suppress(CoordinationAwayError):
            await self._state.ask(self._state.client.delete(_NOTE + name))

    async def reserve(self, chat: str, interval_s: float) -> float:
        """Take the next turn of a chat; returns the time until it."""
        try:
            wait_ms = await self._state.ask(self._reserve([_TURN + chat], [int(interval_s * 1000)]))
        except CoordinationAwayError:
            return await self._alone.reserve(chat, interval_s)
        return int(wait_ms) / 1000

    async def postpone(self, chat: str, wait_s: float) -> None:
        """Let no turn of a chat come before a time from now."""
        try:
            await self._state.ask(self._postpone([_TURN + chat], [int(wait_s * 1000)]))
        except CoordinationAwayError:
            await self._alone.postpone(chat, wait_s)

    async def _keep_saying_so(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            with suppress(CoordinationAwayError):
                await self._say_so()

    async def _say_so(self) -> None:
        saying = self._state.client.set(_ALIVE + self._bot, "", px=int(ALIVE_S * 1000))
        await self._state.ask(saying)
