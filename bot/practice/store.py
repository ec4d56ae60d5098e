"""What the practice page must know after a restart, in the bot's file."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bot.practice.links import SECRET_BYTES, Link
from bot.table import BoundedTable

MAX_HEADS: Final = 20_000
MAX_REVOCATIONS: Final = 1_000_000
"""One for each person who had links revoked. A row may be dropped once these have expired."""
MAX_UNDONE: Final = 64


class SecretStore(Protocol):
    """Keeps the secret that links are signed with."""

    async def get(self) -> bytes:
        """Return the secret, which is made when it is first asked for."""
        ...


class RevocationStore(Protocol):
    """Keeps until when each person's links are void."""

    async def revoke(self, person_id: int, before_ms: int) -> None:
        """Make every link void that was issued to a person up to a time, in ms since the epoch."""
        ...

    async def is_revoked(self, link: Link) -> bool:
        """Whether the person of a link has had it revoked."""
        ...


class SqliteSecret(BoundedTable):
    """The secret that links are signed with, made when it is first asked for."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path, "practice_secret", "name TEXT", {"value": "BLOB NOT NULL"}, 1)

    async def get(self) -> bytes:
        """Return the secret."""
        row = self._read("links")
        if row is None:
            self._write("links", secrets.token_bytes(SECRET_BYTES))
            row = self._read("links")
            assert row is not None
        return bytes(row[0])


class SqliteRevocations(BoundedTable):
    """Until when each person's links are void: a row for each person who said "forget"."""

    def __init__(self, path: Path | None = None, *, max_revocations: int = MAX_REVOCATIONS) -> None:
        columns = {"before_ms": "INTEGER NOT NULL"}
        super().__init__(
            path, "practice_revocations", "person_id INTEGER", columns, max_revocations
        )

    async def revoke(self, person_id: int, before_ms: int) -> None:
        """Make every link void that was issued to a person up to a time, in ms since the epoch."""
        self._write(person_id, before_ms)

    async def is_revoked(self, link: Link) -> bool:
        """Whether the person of a link has had it revoked."""
        row = self._read(link.person_id)
        return row is not None and link.issued_ms <= int(row[0])


@dataclass(frozen=True, slots=True)
class Head:
    """How far the edits of a link's result have come.

    Parameters
    ----------
    revision : str
        Id of the newest result.
    undone : tuple of str
        Ids of the results that were undone, the latest last.
    """

    revision: str
    undone: tuple[str, ...] = ()


class HeadStore(Protocol):
    """Keeps the newest revision of each result that was edited on the page, in each chat."""

    async def find(self, link: Link) -> Head:
        """The newest revision; that of the link itself if nothing was edited."""
        ...

    async def note(self, link: Link, head: Head) -> None:
        """Note a new revision."""
        ...

    async def drop(self, link: Link) -> None:
        """Go back to the link's own revision."""
        ...

    async def forget(self, chat_id: int) -> None:
        """Delete what is kept of a chat."""
        ...


class SqliteHeads(BoundedTable):
    """The newest revision of each result that was edited on the page, in each chat."""

    def __init__(self, path: Path | None = None, *, max_heads: int = MAX_HEADS) -> None:
        columns = {
            "chat_id": "INTEGER NOT NULL",
            "revision": "TEXT NOT NULL",
            "undone": "TEXT NOT NULL",
        }
        super().__init__(path, "practice_heads", "key TEXT", columns, max_heads)

    async def find(self, link: Link) -> Head:
        """The newest revision; that of the link itself if nothing was edited."""
        row = self._read(link.key)
        if row is None:
            return Head(link.shown.result_id)
        return Head(str(row[1]), tuple(str(row[2]).split()))

    async def note(self, link: Link, head: Head) -> None:
        """Note a new revision.

        Raises
        ------
        sqlite3.Error
            If the file does not take it.
        """
        undone = " ".join(head.undone[-MAX_UNDONE:])
        self._write(link.key, link.chat_id, head.revision, undone)

    async def drop(self, link: Link) -> None:
        """Go back to the link's own revision."""
        self._delete(link.key)

    async def forget(self, chat_id: int) -> None:
        """Delete what is kept of a chat."""
        self._delete_where("chat_id = ?", chat_id)
