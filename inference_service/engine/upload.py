"""A job's recording on its way in: to the disk, or to memory where the disk is full."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path
from typing import IO

import structlog

_log = structlog.get_logger()


class Upload:
    """Collects a recording.

    Parameters
    ----------
    path : Path
        The file to write.
    """

    def __init__(self, path: Path) -> None:
        self.size_bytes = 0
        self._path = path
        self._file: IO[bytes] | None = None
        self._memory: io.BytesIO | None = None

    @property
    def is_on_disk(self) -> bool:
        """Whether the recording will survive a restart."""
        return self._memory is None

    async def write(self, chunk: bytes) -> None:
        """Append a piece."""
        self.size_bytes += len(chunk)
        if self._memory is not None:
            self._memory.write(chunk)
            return
        try:
            await asyncio.to_thread(self._append, chunk)
        except OSError as error:
            _log.warning("recording_not_written", reason=str(error))
            await asyncio.to_thread(self._move_to_memory, chunk)

    async def finish(self) -> None:
        """Make what was written reach the disk."""
        if self._file is None or self._memory is not None:
            return
        try:
            await asyncio.to_thread(self._sync)
        except OSError as error:
            _log.warning("recording_not_written", reason=str(error))
            await asyncio.to_thread(self._move_to_memory, b"")

    async def read(self) -> bytes:
        """Return the whole recording; what was in memory is handed over."""
        if self._memory is None:
            return await asyncio.to_thread(self._path.read_bytes)
        data, self._memory = self._memory.getvalue(), io.BytesIO()
        return data

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, chunk: bytes) -> None:
        if self._file is None:
            self._file = open_private(self._path)
        written = self._file.write(chunk)
        if written != len(chunk):
            raise OSError(f"wrote {written} of {len(chunk)} bytes")

    def _sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file.fileno())
        sync_directory(self._path.parent)

    def _move_to_memory(self, chunk: bytes) -> None:
        """Go on in memory from what the disk has taken."""
        self.close()
        before_bytes = self.size_bytes - len(chunk)
        try:
            kept = self._path.read_bytes()[:before_bytes]
        except OSError:
            kept = b""
        self._path.unlink(missing_ok=True)
        if len(kept) != before_bytes:
            raise OSError("the recording could not be read back")
        self._memory = io.BytesIO()
        self._memory.write(kept + chunk)


def sync_directory(directory: Path) -> None:
    """Make the names of a folder's files reach the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_private(path: Path) -> IO[bytes]:
    """Open a file for writing that no other user can read; nothing is buffered."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)
