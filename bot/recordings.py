"""Which recording a score was heard in, so that it can be heard again as something else.

Telegram hands over the message that a page replies to when one of the page's buttons is pressed,
but not when somebody replies to the page. Telegram's id of a recording is therefore noted under the
result's id, and under the message that asked for it, in the file of the languages
(:mod:`bot.languages`). If the notes are lost, a press on a button still works.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from aiogram.types import Message

from bot.sources import AudioSource, find_replied_source, find_source
from bot.table import BoundedTable

MAX_RECORDINGS: Final = 20_000


class RecordingStore(Protocol):
    """Notes recordings under a result's id or the key of a message."""

    async def find(self, key: str) -> AudioSource | None:
        """The recording under a key, or None."""
        ...

    async def note(self, key: str, source: AudioSource) -> None:
        """Note a recording."""
        ...

    async def forget(self, chat_id: int) -> None:
        """Delete the notes about the recordings of a private chat."""
        ...


class SqliteRecordings(BoundedTable):
    """Notes recordings in a SQLite file or, without a path, in memory: a row for each key."""

    def __init__(self, path: Path | None = None, *, max_recordings: int = MAX_RECORDINGS) -> None:
        columns = {
            "file_id": "TEXT NOT NULL",
            "title": "TEXT NOT NULL",
            "size_bytes": "INTEGER",
            "duration_s": "REAL",
        }
        super().__init__(path, "recordings", "key TEXT", columns, max_recordings)

    async def find(self, key: str) -> AudioSource | None:
        """The recording under a key, or None."""
        row = self._read(key)
        return None if row is None else AudioSource(*row)

    async def note(self, key: str, source: AudioSource) -> None:
        """Note a recording."""
        with self._tolerate_faults():
            self._write(key, source.file_id, source.title, source.size_bytes, source.duration_s)

    async def forget(self, chat_id: int) -> None:
        """Delete the notes about the recordings of a private chat, under whichever keys."""
        self._delete_where(
            "file_id IN (SELECT file_id FROM recordings WHERE key GLOB ?)", f"{chat_id}.*"
        )


def message_key(message: Message) -> str:
    """The key of a message, which is also that of the job that it asks for."""
    return f"{message.chat.id}.{message.message_id}"


def recording_of(message: Message) -> AudioSource | None:
    """The recording in a message, or in the one that it replies to; None if there is none."""
    return find_source(message) or find_replied_source(message)
