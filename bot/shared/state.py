"""The connection to the server that bots share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import structlog
from valkey.asyncio import Valkey
from valkey.exceptions import ConnectionError as NotConnected
from valkey.exceptions import OutOfMemoryError, ReadOnlyError, TryAgainError
from valkey.exceptions import TimeoutError as TimedOut

from bot.coordination import CoordinationAwayError

PREFIX: Final = "notabot:bot:"
"""Of every key, so that a server may serve others too."""

ANSWER_S: Final = 2.0
"""Longest time for a connection, and for an answer."""

PAUSE_S: Final = 1.0
"""After a failure, nothing is asked for this long."""

_AWAY: Final = (NotConnected, TimedOut, OutOfMemoryError, ReadOnlyError, TryAgainError, OSError)

T = TypeVar("T")

logger = structlog.get_logger(__name__)


class SharedState:
    """A server that several bots share.

    Parameters
    ----------
    url : str
        Such as ``valkey://host:port/db``; may hold a password, and is never logged.
    """

    def __init__(self, url: str) -> None:
        self.client: Any = Valkey.from_url(
            url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
        )
        self._is_away = False
        self._again_s = 0.0

    async def ask(self, answer: Awaitable[T]) -> T:
        """Await an answer of the server.

        Raises
        ------
        CoordinationAwayError
            If the server is away or cannot store anything, or was a moment ago.
        """
        if time.monotonic() < self._again_s:
            if asyncio.iscoroutine(answer):
                answer.close()
            raise CoordinationAwayError
        try:
            found = await answer
        except _AWAY as error:
            self._again_s = time.monotonic() + PAUSE_S
            if not self._is_away:
                logger.warning("shared state away", error=type(error).__name__)
            self._is_away = True
            raise CoordinationAwayError from None
        if self._is_away:
            logger.info("shared state back")
        self._is_away = False
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
