"""Files that were sent in either direction, in bounded memory.

When the budget is used up, the oldest files are dropped. Their messages stay; requests for a
dropped file are answered as Telegram answers for a missing one.
"""

from __future__ import annotations

import mimetypes
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import PurePosixPath

from bot.localchat.errors import bad_request

# Folders in the paths that getFile returns, by kind of file.
_FOLDERS = {
    "photo": "photos",
    "voice": "voice",
    "audio": "music",
    "video": "videos",
    "video_note": "video_notes",
    "document": "documents",
}
_SUFFIXES = {"audio/ogg": ".oga", "audio/mpeg": ".mp3", "image/jpeg": ".jpg"}


@dataclass(frozen=True)
class Upload:
    """A file as received, before it belongs to a message."""

    data: bytes
    file_name: str
    media_type: str


@dataclass(frozen=True)
class StoredFile:
    """A file with the names by which the Bot API knows it."""

    file_id: str
    file_unique_id: str
    file_path: str
    kind: str
    file_name: str
    media_type: str
    data: bytes


class FileStore:
    """All files of the chats.

    Parameters
    ----------
    budget_bytes : int
        Maximum size of all files together.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._used_bytes = 0
        self._count = 0
        self._files: OrderedDict[str, StoredFile] = OrderedDict()

    def add(self, upload: Upload, kind: str) -> StoredFile:
        """Keep `upload` as a file of `kind` (a key of a Telegram message, such as ``"voice"``).

        The newest file is never dropped: callers limit files to less than the budget.
        """
        self._count += 1
        suffix = (
            PurePosixPath(upload.file_name).suffix[:16]
            or _SUFFIXES.get(upload.media_type)
            or mimetypes.guess_extension(upload.media_type)
            or ".bin"
        )
        file = StoredFile(
            file_id=f"{kind[:2].upper()}{secrets.token_urlsafe(24)}",
            file_unique_id=secrets.token_urlsafe(9),
            file_path=f"{_FOLDERS[kind]}/file_{self._count}{suffix}",
            kind=kind,
            file_name=upload.file_name,
            media_type=upload.media_type,
            data=upload.data,
        )
        self._files[file.file_id] = file
        self._used_bytes += len(file.data)
        while self._used_bytes > self._budget_bytes and len(self._files) > 1:
            _, oldest = self._files.popitem(last=False)
            self._used_bytes -= len(oldest.data)
        return file

    def get(self, file_id: str) -> StoredFile:
        """Return the file with this id.

        Raises
        ------
        BotApiError
            400, if there is none or it was dropped.
        """
        try:
            return self._files[file_id]
        except KeyError:
            raise bad_request("wrong file_id or the file is temporarily unavailable") from None

    def find_path(self, file_path: str) -> StoredFile | None:
        """Return the file with this ``getFile`` path."""
        return next((file for file in self._files.values() if file.file_path == file_path), None)
