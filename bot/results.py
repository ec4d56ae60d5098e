"""Which results were made for which private chat, so that a person can have them deleted.

Other chats are not noted: what was asked for in a group is for all who are in it. The notes are in
the file of the languages (:mod:`bot.languages`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from bot.table import BoundedTable

MAX_RESULTS: Final = 20_000
"""The service keeps a tenth of this by default."""


class ResultIdStore(Protocol):
    """Notes which results were made for which private chat."""

    async def note(self, result_id: str, chat_id: int) -> None:
        """Note for which private chat a result was made."""
        ...

    async def list(self, chat_id: int) -> tuple[str, ...]:
        """Return the ids of the results that were made for a private chat."""
        ...

    async def forget(self, chat_id: int) -> None:
        """Delete the notes about a private chat."""
        ...


class SqliteResults(BoundedTable):
    """Results in a SQLite file or, without a path, in memory: a row for each."""

    def __init__(self, path: Path | None = None, *, max_results: int = MAX_RESULTS) -> None:
        columns = {"chat_id": "INTEGER NOT NULL"}
        super().__init__(path, "results", "result_id TEXT", columns, max_results)

    async def note(self, result_id: str, chat_id: int) -> None:
        """Note for which private chat a result was made."""
        with self._tolerate_faults():
            self._write(result_id, chat_id)

    async def list(self, chat_id: int) -> tuple[str, ...]:
        """Return the ids of the results that were made for a private chat."""
        rows = self._database.execute("SELECT result_id FROM results WHERE chat_id = ?", (chat_id,))
        return tuple(str(result_id) for (result_id,) in rows)

    async def forget(self, chat_id: int) -> None:
        """Delete the notes about a private chat."""
        self._delete_where("chat_id = ?", chat_id)
