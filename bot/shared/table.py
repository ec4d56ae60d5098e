"""A table in the server that bots share: rows that expire, and whose they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bot.coordination import CoordinationAwayError
from bot.shared.state import PREFIX, SharedState


class SharedTable:
    """Rows by their key, each for a while after it was written. Subclasses say what they mean.

    A row may have owners, such as the chat that it is about; what an owner has can be listed.

    Parameters
    ----------
    state : SharedState
    name : str
        The table's name.
    ttl_s : float
    """

    def __init__(self, state: SharedState, name: str, ttl_s: float) -> None:
        self._state = state
        self._row = f"{PREFIX}{name}:"
        self._owned = f"{PREFIX}{name}.owned:"
        self._ttl_ms = int(ttl_s * 1000)

    async def _read(self, key: object) -> list[Any] | None:
        """The row under a key; None if there is none."""
        data = await self._state.ask(self._state.client.get(f"{self._row}{key}"))
        return None if data is None else json.loads(data)

    async def _write(self, key: object, *values: Any, owners: tuple[object, ...] = ()) -> None:
        """Write a row, in place of one with the same key."""
        pipeline = self._state.client.pipeline(transaction=True)
        pipeline.set(f"{self._row}{key}", json.dumps(values), px=self._ttl_ms)
        for owner in owners:
            pipeline.sadd(f"{self._owned}{owner}", str(key))
            pipeline.pexpire(f"{self._owned}{owner}", self._ttl_ms)
        await self._state.ask(pipeline.execute())

    async def _delete(self, *keys: object) -> None:
        """Delete the rows under keys, if there are any."""
        if keys:
            deleting = self._state.client.delete(*(f"{self._row}{key}" for key in keys))
            await self._state.ask(deleting)

    async def _list_owned(self, owner: object) -> list[str]:
        """Keys of the rows that an owner has, some of which may have expired."""
        found = await self._state.ask(self._state.client.smembers(f"{self._owned}{owner}"))
        return sorted(key.decode() for key in found)

    async def _delete_owned(self, owner: object) -> None:
        """Delete the rows that an owner has."""
        await self._delete(*await self._list_owned(owner))
        await self._state.ask(self._state.client.delete(f"{self._owned}{owner}"))

    @contextmanager
    def _tolerate_faults(self) -> Iterator[None]:
        """Do without a row while the server is away, which is logged once."""
        try:
            yield
        except CoordinationAwayError:
            return
