"""Which recording a score was heard in, so that it can be heard again as something else.

Telegram hands over the message that a page replies to when one of the page's buttons is pressed,
but not when somebody replies to the page. Telegram's id of a recording is therefore noted under the
result's id, and under the message that asked for it, in the file of the languages
(:mod:`bot.languages`). If the notes are lost, a press on a button still works.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from aiogram.types import Message

from bot.sources import AudioSource, find_replied_source, find_source

MAX_RECORDINGS: Final = 20_000


class RecordingStore(Protocol):
    """Notes recordings under a result's id or the key of a message."""

    def find(self, key: str) -> AudioSource | None:
        """The recording under a key, or None."""
        ...

    def note(self, key: str, source: AudioSource) -> None:
        """Note a recording."""
        ...


class SqliteRecordings:
    """Notes recordings in a SQLite file or, without a path, in memory: a row for each key.

    Beyond :data:`MAX_RECORDINGS` rows the oldest notes are dropped.

    Parameters
    ----------
    path : Path or None
        The file; its folder is created if it does not exist.

    Raises
    ------
    OSError, sqlite3.Error
        If the file cannot be opened.
    """

    def __init__(self, path: Path | None = None, *, max_recordings: int = MAX_RECORDINGS) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._max_recordings = max_recordings
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS recordings"
            " (key TEXT PRIMARY KEY, file_id TEXT NOT NULL, title TEXT NOT NULL,"
            " size_bytes INTEGER, duration_s REAL, changed INTEGER NOT NULL)"
        )
        self._database.execute(
            "CREATE INDEX IF NOT EXISTS recordings_changed ON recordings (changed)"
        )

    def find(self, key: str) -> AudioSource | None:
        """The recording under a key, or None."""
        row = self._database.execute(
            "SELECT file_id, title, size_bytes, duration_s FROM recordings WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else AudioSource(*row)

    def note(self, key: str, source: AudioSource) -> None:
        """Note a recording."""
        self._database.execute(
            "INSERT OR REPLACE INTO recordings VALUES (?, ?, ?, ?, ?,"
            " (SELECT COALESCE(MAX(changed), 0) + 1 FROM recordings))",
            (key, source.file_id, source.title, source.size_bytes, source.duration_s),
        )
        self._database.execute(
            "DELETE FROM recordings WHERE changed <= (SELECT MAX(changed) FROM recordings) - ?",
            (self._max_recordings,),
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def message_key(message: Message) -> str:
    """The key of a message, which is also that of the job that it asks for."""
    return f"{message.chat.id}.{message.message_id}"


def recording_of(message: Message) -> AudioSource | None:
    """The recording in a message, or in the one that it replies to; None if there is none."""
    return find_source(message) or find_replied_source(message)
