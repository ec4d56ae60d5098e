"""The queue of updates that the bot has not confirmed yet.

``getUpdates`` semantics: https://core.telegram.org/bots/api#getupdates. An update stays until a
later request's offset passes it. A negative offset counts from the end and drops earlier updates.
Of two waiting requests the newer wins; the older one fails with a conflict.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from typing import Any

from bot.localchat.errors import BotApiError

Update = dict[str, Any]

_PENDING_LIMIT = 10_000
_POLL_LIMIT = 100
_TIMEOUT_LIMIT_S = 50
_FIRST_UPDATE_ID = 100_000_000


class UpdateQueue:
    """Updates that wait for the bot, oldest first, at most :data:`_PENDING_LIMIT`."""

    def __init__(self) -> None:
        self._pending: deque[Update] = deque(maxlen=_PENDING_LIMIT)
        self._ids = itertools.count(_FIRST_UPDATE_ID)
        self._allowed: frozenset[str] | None = None
        self._wakeup = asyncio.Event()
        self._poll_count = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def allowed(self) -> list[str] | None:
        """Kinds of updates that the bot wants; ``None`` for all."""
        return None if self._allowed is None else sorted(self._allowed)

    def allow(self, kinds: list[Any] | None) -> None:
        """Remember ``allowed_updates``; ``None`` keeps the last choice, an empty list means all."""
        if kinds is not None:
            self._allowed = frozenset(map(str, kinds)) or None

    def push(self, kind: str, payload: dict[str, Any]) -> None:
        """Queue one update, unless the bot does not want its kind."""
        if self._allowed is None or kind in self._allowed:
            self._pending.append({"update_id": next(self._ids), kind: payload})
            self._wakeup.set()

    def confirm(self, offset: int) -> None:
        """Drop updates before `offset`."""
        while self._pending and self._pending[0]["update_id"] < offset:
            self._pending.popleft()

    def clear(self) -> None:
        """Drop all updates."""
        self._pending.clear()

    def close(self) -> None:
        """End every waiting request at once; the server is shutting down."""
        self._closed = True
        self._wakeup.set()

    async def wait(self) -> Update | None:
        """Wait for the oldest update without taking it; ``None`` once closed."""
        while not self._pending and not self._closed:
            self._wakeup.clear()
            await self._wakeup.wait()
        return self._pending[0] if self._pending and not self._closed else None

    async def poll(self, offset: int, limit: int, timeout_s: int) -> list[Update]:
        """Answer ``getUpdates``.

        Parameters
        ----------
        offset : int
            The first update wanted; 0 for the oldest, negative to count from the end.
        limit : int
            Maximum number of updates, 1 to 100.
        timeout_s : int
            How long to wait for the first one.

        Returns
        -------
        list of dict
            ``Update`` objects, possibly none.

        Raises
        ------
        BotApiError
            409, if a newer request replaced this one.
        """
        self._poll_count += 1
        number = self._poll_count
        self._wakeup.set()  # an older request notices that it is no longer the newest
        if offset > 0:
            self.confirm(offset)
        elif offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        loop = asyncio.get_running_loop()
        stop_s = loop.time() + min(max(timeout_s, 0), _TIMEOUT_LIMIT_S)
        while not self._pending and not self._closed:
            self._wakeup.clear()
            try:
                async with asyncio.timeout_at(stop_s):
                    await self._wakeup.wait()
            except TimeoutError:
                break
            if number != self._poll_count:
                raise BotApiError(
                    409,
                    "Conflict: terminated by other getUpdates request; "
                    "make sure that only one bot instance is running",
                )
        return list(itertools.islice(self._pending, min(max(limit, 1), _POLL_LIMIT)))
