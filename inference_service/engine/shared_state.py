"""The connection to Valkey or Redis, where services that work together keep their small state.

A server that is away is no failure of the service: whatever needs it raises ``NotReady``, which
asks the caller to come back, and the client connects again by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import structlog
from valkey.asyncio import Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import ConstantBackoff
from valkey.exceptions import (
    ConnectionError as NotConnected,
)
from valkey.exceptions import (
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
from valkey.exceptions import (
    TimeoutError as TimedOut,
)

from inference_service.errors import NotReady

PREFIX: Final = "notabot:"
"""Of every key, so that a server may serve others too."""

ANSWER_S: Final = 2.0
"""Longest time for a connection, and for an answer."""

_RETRY_AFTER_S: Final = 2.0
_AWAY: Final = (NotConnected, TimedOut, OutOfMemoryError, ReadOnlyError, TryAgainError, OSError)

T = TypeVar("T")

_log = structlog.get_logger()


class SharedState:
    """A server that several services share.

    Parameters
    ----------
    url : str
        Such as ``valkey://host:port/db``; may hold a password, and is never logged.

    Raises
    ------
    ValueError
        If it is not an address of a server.
    """

    def __init__(self, url: str) -> None:
        self.client: Any = Valkey.from_url(
            url,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            retry=Retry(ConstantBackoff(0.05), 1),
            retry_on_error=[NotConnected],
        )
        self._is_away = False

    async def ask(self, answer: Awaitable[T]) -> T:
        """Await an answer of the server.

        Raises
        ------
        NotReady
            If the server is away, or cannot store anything.
        """
        with self._told_apart():
            return await answer

    async def find_problem(self) -> str:
        """Return why the server cannot be used, or an empty text."""
        try:
            await self.ask(self.client.ping())
        except NotReady as error:
            return error.cause
        return ""

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    @contextmanager
    def _told_apart(self) -> Iterator[None]:
        try:
            yield
        except _AWAY as error:
            if not self._is_away:
                _log.warning("shared_state_away", reason=type(error).__name__)
            self._is_away = True
            raise NotReady(
                f"the shared state cannot be used: {type(error).__name__}",
                retry_after_s=_RETRY_AFTER_S,
            ) from None
        if self._is_away:
            _log.info("shared_state_back")
        self._is_away = False
