"""A limit on the decoded sound held at once.

Recordings are decoded while they wait for the device, and a few kilobytes may hold minutes of
sound. Each request claims memory for its samples as they arrive. Over the limit, decoding pauses
until an earlier request is done with its samples.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

_POLL_S: Final = 0.1


class Memory:
    """Counts the bytes claimed against a limit.

    Parameters
    ----------
    limit_bytes : int
        The oldest claim may exceed it, so that no request waits forever.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._freed = threading.Condition()
        self._claims: dict[Claim, int] = {}

    @property
    def used_bytes(self) -> int:
        """Number of bytes claimed."""
        with self._freed:
            return sum(self._claims.values())

    def _grow(self, claim: Claim, size_bytes: int, wait: Callable[[], None]) -> None:
        with self._freed:
            while not self._has_room(claim, size_bytes):
                self._freed.wait(_POLL_S)
                wait()
            if claim in self._claims:
                self._claims[claim] += size_bytes

    def _has_room(self, claim: Claim, size_bytes: int) -> bool:
        if claim not in self._claims or claim is next(iter(self._claims)):
            return True
        return sum(self._claims.values()) + size_bytes <= self._limit_bytes

    def _open(self, claim: Claim) -> None:
        with self._freed:
            self._claims[claim] = 0

    def _close(self, claim: Claim) -> None:
        with self._freed:
            self._claims.pop(claim, None)
            self._freed.notify_all()


class Claim:
    """The memory of one request; as a context manager, released at the end of the block."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def __enter__(self) -> Self:
        self._memory._open(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._memory._close(self)

    def grow(self, size_bytes: int, wait: Callable[[], None]) -> None:
        """Claim more memory; blocks while there is none.

        Parameters
        ----------
        size_bytes : int
        wait : callable
            Called ten times a second while blocked; may raise to give up.
        """
        self._memory._grow(self, size_bytes, wait)
