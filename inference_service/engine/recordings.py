"""Where gateways that share their jobs keep the recordings of these until they are transcribed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from inference_service.engine.upload import Upload
from inference_service.errors import NotReady, QueueFull

if TYPE_CHECKING:  # needs the extra `shared`
    from inference_service.engine.bucket import Bucket

RETRY_AFTER_S: Final = 5.0

_SUFFIX: Final = ".audio"
_IN_BUCKET: Final = "recordings/"

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


class BucketRecordings:
    """Recordings in the bucket of the results.

    Parameters
    ----------
    bucket : Bucket
    directory : Path
        For uploads on their way to the bucket; created for this user alone.
    max_bytes : int
        Of a recording.
    max_age_s : float
        Objects older than this were left by gateways that were killed. They are deleted when a
        gateway keeps its first recording.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """

    def __init__(self, bucket: Bucket, directory: Path, max_bytes: int, max_age_s: float) -> None:
        self._bucket = bucket
        self._directory = directory
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._own = secrets.token_hex(4)
        self._is_swept = False
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def receive(self, name: str) -> Upload:
        """Return what collects a recording in a file of this gateway."""
        return Upload(self._path(name))

    async def keep(self, name: str, upload: Upload) -> None:
        """Send a complete recording to the bucket."""
        data = await upload.read()
        with _come_back():
            await asyncio.to_thread(self._bucket.write, _IN_BUCKET + name, data)
            if not self._is_swept:
                self._is_swept = True
                await asyncio.to_thread(self._sweep)
        await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    async def read(self, name: str) -> bytes:
        """Return a recording."""
        with _come_back():
            return await asyncio.to_thread(self._bucket.read, _IN_BUCKET + name, self._max_bytes)

    async def drop(self, name: str) -> None:
        """Delete a recording, and what has arrived of it here."""
        await asyncio.to_thread(self._path(name).unlink, missing_ok=True)
        try:
            await asyncio.to_thread(self._bucket.delete, [_IN_BUCKET + name])
        except QueueFull as error:
            _log.warning("recording_not_deleted", reason=error.cause)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.{self._own}{_SUFFIX}"

    def _sweep(self) -> None:
        oldest_s = time.time() - self._max_age_s
        found = self._bucket.list(_IN_BUCKET)
        if old := [item.path for item in found if item.written_s < oldest_s]:
            self._bucket.delete(old)


@contextmanager
def _come_back() -> Iterator[None]:
    """Ask the caller to come back if the bucket cannot be reached."""
    try:
        yield
    except QueueFull as error:
        raise NotReady(error.cause, retry_after_s=RETRY_AFTER_S) from None
