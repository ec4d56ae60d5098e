"""Where gateways that share their jobs keep the recordings of these until they are transcribed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from inference_service.engine.upload import Upload
from inference_service.errors import NotReady

RETRY_AFTER_S: Final = 5.0

_SUFFIX: Final = ".audio"

_log = structlog.get_logger()


class Recordings(Protocol):
    """Keeps recordings by the names of their jobs."""

    def receive(self, name: str) -> Upload:
        """Return what collects a recording on its way in, on this machine."""
        ...

    async def keep(self, name: str, upload: Upload) -> None:
        """Keep a complete recording where every gateway reads it.

        Raises
        ------
        NotReady
            If it cannot be kept.
        """
        ...

    async def read(self, name: str) -> bytes:
        """Return a recording.

        Raises
        ------
        NotReady
            If it cannot be read.
        """
        ...

    async def drop(self, name: str) -> None:
        """Delete a recording, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class KeptRecording:
    """A recording that is kept."""

    recordings: Recordings
    name: str

    async def read(self) -> bytes:
        """Return its bytes."""
        return await self.recordings.read(self.name)


class FolderRecordings:
    """Recordings in a folder that all gateways share, such as that of one machine.

    Parameters
    ----------
    directory : Path
        Created if it does not exist, for this user alone.
    max_age_s : float
        Files older than this were left by a gateway that was killed, and are deleted.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """

    def __init__(self, directory: Path, max_age_s: float) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        oldest_s = time.time() - max_age_s
        for path in directory.glob(f"*{_SUFFIX}"):
            if path.stat().st_mtime < oldest_s:
                path.unlink(missing_ok=True)

    def receive(self, name: str) -> Upload:
        """Return what collects a recording, in its own file from the start."""
        return Upload(self._path(name))

    async def keep(self, name: str, upload: Upload) -> None:
        """Make a complete recording reach the disk."""
        await upload.finish()
        if not upload.is_on_disk:
            raise NotReady("the recording could not be stored", retry_after_s=RETRY_AFTER_S)

    async def read(self, name: str) -> bytes:
        """Return a recording."""
        try:
            return await asyncio.to_thread(self._path(name).read_bytes)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise NotReady(
                f"the recording cannot be read: {reason}", retry_after_s=RETRY_AFTER_S
            ) from None

    async def drop(self, name: str) -> None:
        """Delete a recording."""
        try:
            await asyncio.to_thread(self._path(name).unlink, missing_ok=True)
        except OSError as error:
            _log.warning("recording_not_deleted", reason=str(error))

    def _path(self, name: str) -> Path:
        return self._directory / (name + _SUFFIX)
