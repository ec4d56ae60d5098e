"""An object store: S3 and what is compatible with it, or memory, through obstore.

Credentials, region and endpoint come from the environment, as obstore reads them:
``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT``, and
``AWS_ALLOW_HTTP=true`` for an endpoint without TLS.

Faults
------
A request that fails is sent again, :data:`_RETRIES` times at most, and each try has
:data:`_TIMEOUT_S`. Whatever fails then raises ``QueueFull``, which asks the caller to come back.
``FileNotFoundError`` means that the store has answered, and has no such object: a bucket that is
missing, or may not be listed, counts as a failure.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any, Final

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import from_url

from inference_service.errors import QueueFull

_TIMEOUT_S: Final = 10.0
_CONNECT_S: Final = 3.0
_RETRIES: Final = 2
_RETRYING_S: Final = 15.0
"""Time after which a request is not sent again."""
_RETRY_AFTER_S: Final = 10.0

_PART_BYTES: Final = 5 * 2**20
_PARTS_AT_ONCE: Final = 2
_READ_BYTES: Final = 2**20
"""Of an object that is read piece by piece, held in memory at once."""

_NO_OBJECT: Final = "NoSuchKey"
"""S3's word for a missing object in a bucket that is there, unless a request asks for no body."""
_STATUS: Final = re.compile(r"status code: (\d{3})")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's path, its size, and when it was written, by the store's clock."""

    path: str
    size_bytes: int
    written_s: float


class Bucket:
    """The objects below an address; its methods may be called from any thread.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``, or ``memory:///`` for a store of this process.

    Raises
    ------
    ValueError
        If it is not such an address.
    """

    def __init__(self, url: str) -> None:
        client = {
            "timeout": timedelta(seconds=_TIMEOUT_S),
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"true", "1"},
        }
        backoff = {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=1),
            "base": 2,
        }
        retries = {
            "max_retries": _RETRIES,
            "retry_timeout": timedelta(seconds=_RETRYING_S),
            "backoff": backoff,
        }
        options: dict[str, Any] = (
            {"client_options": client, "retry_config": retries} if url.startswith("s3://") else {}
        )
        try:
            self._store: Any = from_url(url, **options)
        except (BaseError, ValueError) as error:
            raise ValueError("not the address of an object store") from error

    def read(self, path: str, max_bytes: int) -> bytes:
        """Return an object.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is larger than ``max_bytes``.
        QueueFull
        """
        with self._faults(path):
            found = obstore.get(self._store, path)
            if found.meta["size"] > max_bytes:
                raise ValueError("too large")
            return bytes(found.bytes())

    def open(self, path: str) -> IO[bytes]:
        """Open an object, to be read piece by piece, from any place.

        Reading raises ``FileNotFoundError`` once the object is deleted.

        Raises
        ------
        FileNotFoundError
            If there is none.
        QueueFull
        """
        with self._faults(path):
            size_bytes = obstore.head(self._store, path)["size"]
        return io.BufferedReader(_RangeReader(self, path, size_bytes), _READ_BYTES)

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes of an object; raises what :meth:`open` does."""
        with self._faults(path):
            return bytes(obstore.get_range(self._store, path, start=start, length=length))

    def find(self, path: str) -> StoredObject | None:
        """Return what is known of an object; None if there is none.

        Raises
        ------
        QueueFull
        """
        try:
            with self._faults(path):
                return _describe(obstore.head(self._store, path))
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes | IO[bytes]) -> None:
        """Write an object, whole or not at all; a large file is sent in parts.

        Raises
        ------
        QueueFull
        """
        try:
            with self._faults(path):
                obstore.put(
                    self._store, path, data, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
                )
        except FileNotFoundError as error:
            raise _cannot_reach(error) from error

    def copy(self, source: str, target: str) -> None:
        """Copy an object inside the store.

        Raises
        ------
        FileNotFoundError
            If there is none.
        QueueFull
        """
        with self._faults(source):
            obstore.copy(self._store, source, target)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below a path, of which few are in memory at once.

        Raises
        ------
        QueueFull
        """
        with self._faults(prefix):
            for page in obstore.list(self._store, prefix):
                yield from map(_describe, page)

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; those that are gone are no error.

        Raises
        ------
        QueueFull
        """
        if paths:
            with self._faults(paths[0]):
                obstore.delete(self._store, list(paths))

    @contextmanager
    def _faults(self, path: str) -> Iterator[None]:
        """Raise ``QueueFull`` for whatever the store does not answer."""
        try:
            yield
        except BaseError as error:
            raise _cannot_reach(error) from error
        except FileNotFoundError as error:
            if _NO_OBJECT not in str(error):
                self._require_bucket(path)
            raise

    def _require_bucket(self, path: str) -> None:
        """Check that the bucket can be listed: one that is missing has no objects, either.

        Raises
        ------
        QueueFull
        """
        try:
            obstore.list(self._store, path).collect()
        except BaseError as error:
            raise _cannot_reach(error) from error


class _RangeReader(io.RawIOBase):
    """Reads ranges of an object."""

    def __init__(self, bucket: Bucket, path: str, size_bytes: int) -> None:
        self._bucket = bucket
        self._path = path
        self._size_bytes = size_bytes
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size_bytes}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def readinto(self, target: Any) -> int:
        length = min(len(target), self._size_bytes - self._place)
        if length <= 0:
            return 0
        data = self._bucket.read_range(self._path, self._place, length)
        target[: len(data)] = data
        self._place += len(data)
        return len(data)


def _describe(meta: Any) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["last_modified"].timestamp())


def _cannot_reach(error: Exception) -> QueueFull:
    """Return the error for callers, and log it without addresses and names of objects."""
    status = _STATUS.search(str(error))
    reason = f"status {status[1]}" if status else "no answer"
    _log.warning("results_not_reachable", reason=reason)
    return QueueFull(
        f"the store of results cannot be used just now: {reason}", retry_after_s=_RETRY_AFTER_S
    )
