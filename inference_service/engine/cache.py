"""Results on disk under unguessable ids, so that they can be rendered again without inference.

Each result is a file of gzipped JSON, written atomically; its modification time is the time of its
last use. The stems of a song are in an archive beside it, which is deleted with the result. Number,
size and age are limited, and the least recently used are evicted first. Results take precedence:
archives may use the bytes that the results leave. An id is 72 random bits in 12 characters, which
leaves room for other data in the 64 bytes of a Telegram button.
"""

from __future__ import annotations

import gzip
import os
import re
import secrets
import threading
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from inference_service.errors import ResultExpired
from inference_service.music.events import Transcription

_ID: Final = re.compile(r"[A-Za-z0-9_-]{12}", re.ASCII)
_ID_BYTES: Final = 9
_SUFFIX: Final = ".json.gz"
_STEMS_SUFFIX: Final = ".stems.zip"
_MAX_JSON_BYTES: Final = 64_000_000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CachedResult:
    """A transcription and its title."""

    transcription: Transcription
    title: str


_ADAPTER: Final = TypeAdapter(CachedResult)


class ResultCache:
    """A folder of results; its methods may be called from any thread.

    Parameters
    ----------
    directory : Path
        Created if it does not exist.
    max_entries, max_bytes : int
        The newest result is kept even if it alone exceeds ``max_bytes``.
    max_age_s : float
        Time since the last use.
    """

    def __init__(self, directory: Path, max_entries: int, max_bytes: int, max_age_s: float) -> None:
        self._directory = directory
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in directory.glob("*.tmp"):
            leftover.unlink(missing_ok=True)

    def put(self, result: CachedResult, stems: Mapping[str, bytes] | None = None) -> str:
        """Store a result with the stems of its recording, and return its id."""
        result_id = secrets.token_urlsafe(_ID_BYTES)
        data = gzip.compress(_ADAPTER.dump_json(result), compresslevel=6, mtime=0)
        temporary = self._directory / f"{result_id}.tmp"
        with self._lock:
            if stems:
                _write_stems(temporary, stems)
                temporary.replace(self._stems_path(result_id))
            temporary.write_bytes(data)
            temporary.replace(self._path(result_id))
            self._evict()
        return result_id

    def get_stems(self, result_id: str) -> dict[str, bytes]:
        """Return the stems of a result's recording by name; empty if they are no longer kept."""
        if _ID.fullmatch(result_id) is None:
            return {}
        path = self._stems_path(result_id)
        with self._lock:
            try:
                stems = _read_stems(path)
                os.utime(path)
            except FileNotFoundError:
                return {}
            except (OSError, zipfile.BadZipFile) as error:
                _log.warning("cached_stems_unreadable", reason=type(error).__name__)
                path.unlink(missing_ok=True)
                return {}
        return stems

    def get(self, result_id: str) -> CachedResult:
        """Return a result and update the time of its last use.

        Raises
        ------
        ResultExpired
            If there is no such result, or it cannot be read.
        """
        if _ID.fullmatch(result_id) is None:
            raise ResultExpired("no such result")
        path = self._path(result_id)
        with self._lock:
            try:
                if time.time() - path.stat().st_mtime > self._max_age_s:
                    path.unlink(missing_ok=True)
                    self._stems_path(result_id).unlink(missing_ok=True)
                    raise ResultExpired("the result is no longer kept")
                result = _read(path)
                os.utime(path)
            except FileNotFoundError:
                raise ResultExpired("the result is no longer kept") from None
            except (OSError, EOFError, zlib.error, ValidationError, ValueError) as error:
                _log.warning("cached_result_unreadable", reason=type(error).__name__)
                path.unlink(missing_ok=True)
                raise ResultExpired("the result can no longer be read") from error
        return result

    def _path(self, result_id: str) -> Path:
        return self._directory / (result_id + _SUFFIX)

    def _stems_path(self, result_id: str) -> Path:
        return self._directory / (result_id + _STEMS_SUFFIX)

    def _evict(self) -> None:
        """Delete expired results, then the least recently used until the limits are kept."""
        files = sorted(
            ((entry.stat(), Path(entry.path)) for entry in os.scandir(self._directory)),
            key=lambda file: file[0].st_mtime_ns,
            reverse=True,
        )
        oldest_s = time.time() - self._max_age_s
        total_bytes = 0
        kept: set[str] = set()
        results = [file for file in files if file[1].name.endswith(_SUFFIX)]
        for place, (stat, path) in enumerate(results):
            total_bytes += stat.st_size
            over = place >= self._max_entries or (place > 0 and total_bytes > self._max_bytes)
            if over or stat.st_mtime < oldest_s:
                path.unlink(missing_ok=True)
            else:
                kept.add(path.name.removesuffix(_SUFFIX))
        for stat, path in files:
            if path.name.endswith(_STEMS_SUFFIX):
                total_bytes += stat.st_size
                result_id = path.name.removesuffix(_STEMS_SUFFIX)
                if result_id not in kept or total_bytes > self._max_bytes:
                    path.unlink(missing_ok=True)


def _read(path: Path) -> CachedResult:
    with gzip.open(path) as file:
        data = file.read(_MAX_JSON_BYTES + 1)
    if len(data) > _MAX_JSON_BYTES:
        raise ValueError("too large")
    return _ADAPTER.validate_json(data)


def _write_stems(path: Path, stems: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, stem in stems.items():
            archive.writestr(name, stem)


def _read_stems(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
