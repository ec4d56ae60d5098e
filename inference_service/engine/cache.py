"""Results on disk under unguessable ids, so that they can be rendered again without inference.

Each result is a file of gzipped JSON, written atomically; its modification time is the time of its
last use. Its sounds (the recording, and the stems of a song) are in an archive beside it, and its
corrections in small files; both are deleted with the result. Number, size and age are limited, and
the least recently used are evicted first. Results take precedence: archives may use the bytes that
the results leave. An id is 72 random bits in 12 characters, which leaves room for other data in the
64 bytes of a Telegram button.

Faults
------
A result that the disk does not take is kept in memory, as the newest of a few, until the service
ends. A file is deleted only if its content is proven damaged: a failure to open or to read it, such
as a lack of file descriptors, may pass. Ages are counted on a clock of the cache's own, which
continues from the newest file when the service starts and advances with the machine's monotonic
clock: the system's clock may be set wrong, or right, without the results seeming old. The time
during which the service is stopped therefore does not count.
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
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Final, TypeVar

import structlog
from pydantic import TypeAdapter

from inference_service.engine.corrected import (
    ID_BYTES,
    ID_PATTERN,
    MAX_ENTRY_BYTES,
    CorrectedEntry,
    Lineage,
    pack_entry,
    unpack_entry,
)
from inference_service.errors import (
    InvalidCorrections,
    QueueFull,
    ResultExpired,
    SoundUnavailable,
)
from inference_service.music.corrections import Corrections
from inference_service.music.events import Transcription

MAX_CORRECTED: Final = 64
"""Corrected results kept of one result."""

_ID: Final = re.compile(ID_PATTERN, re.ASCII)
_SUFFIX: Final = ".json.gz"
_SOUNDS_SUFFIX: Final = ".stems.zip"
_CORRECTED_SUFFIX: Final = ".corrected"
_MAX_JSON_BYTES: Final = 64_000_000
_MAX_IN_MEMORY: Final = 100
_MAX_IN_MEMORY_BYTES: Final = 32_000_000
_RETRY_AFTER_S: Final = 10.0
_TICK_S: Final = 1e-3
"""Resolution of file times, on file systems that are in use."""


_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CachedResult:
    """A transcription and its title."""

    transcription: Transcription
    title: str


@dataclass(frozen=True, slots=True)
class OpenSound:
    """A sound that is being read, and its size; whoever opened it closes the file."""

    size_bytes: int
    file: IO[bytes]


_ADAPTER: Final = TypeAdapter(CachedResult)

T = TypeVar("T")


class ResultCache:
    """Stores results; safe to use from several threads.

    Parameters
    ----------
    directory : Path
        Created if it does not exist.
    max_entries, max_bytes : int
        The newest result is kept even if it alone exceeds ``max_bytes``.
    max_age_s : float
        Time since the last use, while the service runs.
    """

    def __init__(self, directory: Path, max_entries: int, max_bytes: int, max_age_s: float) -> None:
        self._directory = directory
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._in_memory: OrderedDict[str, bytes] = OrderedDict()
        self._corrected_in_memory: OrderedDict[str, CorrectedEntry] = OrderedDict()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for leftover in directory.glob("*.tmp"):
                leftover.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("cache_not_writable", reason=error.strerror)
        self._clock = _Clock([stat.st_mtime for stat, _ in self._files()])

    def put(self, result: CachedResult, sounds: Mapping[str, bytes] | None = None) -> str:
        """Store a result with its sounds, and return its id."""
        result_id = secrets.token_urlsafe(ID_BYTES)
        data = gzip.compress(_ADAPTER.dump_json(result), compresslevel=6, mtime=0)
        with self._lock:
            try:
                if sounds:
                    self._write(self._sounds_path(result_id), partial(_write_sounds, sounds=sounds))
                self._write(self._path(result_id), lambda path: path.write_bytes(data))
            except OSError as error:
                _log.warning("result_not_stored", reason=error.strerror)
                self._keep_in_memory(result_id, data)
            self._evict()
        return result_id

    def put_corrected(self, previous_id: str, corrections: Corrections) -> str:
        """Store what remains to be said of a result with all its corrections; return its id.

        Without corrections, it is the uncorrected result.

        Parameters
        ----------
        previous_id : str
            The result that was corrected last, corrected before or not.
        corrections : Corrections

        Raises
        ------
        ResultExpired
            If the previous result is no longer kept.
        QueueFull
            If it cannot be read at the moment.
        """
        with self._lock:
            root_id = self._trace(previous_id).root_id
            if not corrections:
                return root_id
            entry = CorrectedEntry(root_id, previous_id, corrections)
            if root_id in self._in_memory:
                self._keep_corrected_in_memory(entry)
                return entry.id
            data = pack_entry(entry)
            try:
                self._write(self._corrected_path(entry), lambda path: path.write_bytes(data))
            except OSError as error:
                _log.warning("correction_not_stored", reason=error.strerror)
                self._keep_corrected_in_memory(entry)
            self._evict()
            return entry.id

    def trace(self, result_id: str) -> Lineage:
        """Return where a result comes from.

        Raises
        ------
        ResultExpired
            If it is corrected, and no longer kept.
        QueueFull
            If it cannot be read at the moment.
        """
        with self._lock:
            return self._trace(result_id)

    def is_lasting(self, result_id: str) -> bool:
        """Whether a result is on disk, and so survives a restart."""
        with self._lock:
            if result_id in self._corrected_in_memory:
                return False
            return self._trace(result_id).root_id not in self._in_memory

    def get_sounds(self, result_id: str) -> dict[str, bytes]:
        """Return a result's sounds by name; empty if they are no longer kept.

        Raises
        ------
        ResultExpired
            If the result is corrected, and no longer kept.
        QueueFull
            If they cannot be read at the moment.
        """
        if _ID.fullmatch(result_id) is None:
            return {}
        with self._lock:
            return self._read_archive(result_id, _read_sounds) or {}

    def list_sounds(self, result_id: str) -> tuple[str, ...]:
        """Return the names of a result's sounds; raises what :meth:`get_sounds` does."""
        if _ID.fullmatch(result_id) is None:
            return ()
        with self._lock:
            return self._read_archive(result_id, _list_sounds) or ()

    def open_sound(self, result_id: str, name: str) -> OpenSound:
        """Open one of a result's sounds, to be read piece by piece.

        Raises
        ------
        ResultExpired
            If there is no such result.
        SoundUnavailable
            If the sound is not kept.
        QueueFull
            If it cannot be read at the moment.
        """
        if _ID.fullmatch(result_id) is None:
            raise ResultExpired("no such result")
        with self._lock:
            root_id = self._trace(result_id).root_id
            if root_id not in self._in_memory and not self._is_stored(root_id):
                raise ResultExpired("the result is no longer kept")
            sound = self._read_archive(result_id, partial(_open_sound, name=name))
        if sound is None:
            raise SoundUnavailable("the sound is not kept")
        return sound

    def forget(self, result_id: str) -> None:
        """Delete a result, named by any of its ids, and what belongs to it, if it is kept.

        Raises
        ------
        QueueFull
            If a corrected result cannot be read at the moment.
        """
        if _ID.fullmatch(result_id) is None:
            return
        with self._lock:
            try:
                root_id = self._trace(result_id).root_id
            except ResultExpired:
                return
            self._in_memory.pop(root_id, None)
            for entry in list(self._corrected_in_memory.values()):
                if entry.root_id == root_id:
                    del self._corrected_in_memory[entry.id]
            self._forget(root_id)

    def _is_stored(self, result_id: str) -> bool:
        try:
            return self._path(result_id).exists()
        except OSError as error:
            raise _cannot_read(error) from error

    def _read_archive(self, result_id: str, read: Callable[[Path], T]) -> T | None:
        """Read from the archive of a result's sounds; return None if there is none."""
        path = self._sounds_path(self._trace(result_id).root_id)
        try:
            found = read(path)
        except FileNotFoundError:
            return None
        except (zipfile.BadZipFile, EOFError) as error:
            _log.warning("cached_sounds_unreadable", reason=type(error).__name__)
            _delete(path)
            return None
        except OSError as error:
            raise _cannot_read(error) from error
        self._touch(path)
        return found

    def get(self, result_id: str) -> CachedResult:
        """Return a result with its corrections, and update the time of its last use.

        Raises
        ------
        ResultExpired
            If there is no such result, or its file is damaged.
        QueueFull
            If it cannot be read at the moment.
        """
        with self._lock:
            entry = self._find_corrected(result_id)
            if entry is None:
                return self._get_uncorrected(result_id)
            result = self._get_uncorrected(entry.root_id)
            if result_id in self._corrected_in_memory:
                self._corrected_in_memory.move_to_end(result_id)
            else:
                self._touch(self._corrected_path(entry))
        corrected = replace(result.transcription, corrections=entry.corrections)
        return replace(result, transcription=corrected)

    def _get_uncorrected(self, result_id: str) -> CachedResult:
        if _ID.fullmatch(result_id) is None:
            raise ResultExpired("no such result")
        path = self._path(result_id)
        if result_id in self._in_memory:
            self._in_memory.move_to_end(result_id)
            return _decode(gzip.decompress(self._in_memory[result_id]))
        try:
            if self._clock.now_s() - path.stat().st_mtime > self._max_age_s:
                self._forget(result_id)
                raise ResultExpired("the result is no longer kept")
            result = _read(path)
        except FileNotFoundError as error:
            if not self._directory.is_dir():
                raise _cannot_read(error) from error
            raise ResultExpired("the result is no longer kept") from None
        except (gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
            _log.warning("cached_result_unreadable", reason=type(error).__name__)
            _delete(path)
            raise ResultExpired("the result can no longer be read") from error
        except OSError as error:
            raise _cannot_read(error) from error
        self._touch(path)
        return result

    def _trace(self, result_id: str) -> Lineage:
        entry = self._find_corrected(result_id)
        return Lineage(result_id) if entry is None else Lineage(entry.root_id, entry.previous_id)

    def _find_corrected(self, result_id: str) -> CorrectedEntry | None:
        """Return what is kept of a corrected result; None if there is none of this id."""
        if _ID.fullmatch(result_id) is None:
            return None
        if result_id in self._corrected_in_memory:
            return self._corrected_in_memory[result_id]
        if result_id in self._in_memory:
            return None
        path = self._path(result_id)
        try:
            if path.exists():
                return None
            for path in self._directory.glob(f"{result_id}.*{_CORRECTED_SUFFIX}"):
                with path.open("rb") as file:
                    return unpack_entry(file.read(MAX_ENTRY_BYTES + 1))
            return None
        except ValueError as error:
            _log.warning("cached_correction_unreadable", reason=type(error).__name__)
            _delete(path)
            raise ResultExpired("the correction can no longer be read") from error
        except OSError as error:
            raise _cannot_read(error) from error

    def _write(self, path: Path, write: Callable[[Path], object]) -> None:
        """Write a file atomically; nothing is left of one that cannot be written."""
        temporary = path.with_suffix(".tmp")
        try:
            write(temporary)
            temporary.replace(path)
        except BaseException:
            _delete(temporary)
            raise
        self._touch(path)

    def _touch(self, path: Path) -> None:
        """Record a use, later than all others."""
        used_s = self._clock.stamp_s()
        with suppress(OSError):  # on a disk that was made read-only, the order of use stays
            os.utime(path, (used_s, used_s))

    def _keep_in_memory(self, result_id: str, data: bytes) -> None:
        self._in_memory[result_id] = data
        while len(self._in_memory) > 1 and (
            len(self._in_memory) > _MAX_IN_MEMORY
            or sum(map(len, self._in_memory.values())) > _MAX_IN_MEMORY_BYTES
        ):
            self._in_memory.popitem(last=False)

    def _keep_corrected_in_memory(self, entry: CorrectedEntry) -> None:
        self._corrected_in_memory[entry.id] = entry
        self._corrected_in_memory.move_to_end(entry.id)
        while len(self._corrected_in_memory) > _MAX_IN_MEMORY:
            self._corrected_in_memory.popitem(last=False)

    def _path(self, result_id: str) -> Path:
        return self._directory / (result_id + _SUFFIX)

    def _sounds_path(self, result_id: str) -> Path:
        return self._directory / (result_id + _SOUNDS_SUFFIX)

    def _corrected_path(self, entry: CorrectedEntry) -> Path:
        return self._directory / f"{entry.id}.{entry.root_id}{_CORRECTED_SUFFIX}"

    def _forget(self, result_id: str) -> None:
        """Delete a result and what belongs to it."""
        _delete(self._path(result_id))
        _delete(self._sounds_path(result_id))
        for path in self._directory.glob(f"*.{result_id}{_CORRECTED_SUFFIX}"):
            _delete(path)

    def _files(self) -> list[tuple[os.stat_result, Path]]:
        """Return the files, the last used first; none if the folder cannot be read."""
        files = []
        with suppress(OSError), os.scandir(self._directory) as entries:
            for entry in entries:
                with suppress(OSError):
                    files.append((entry.stat(), Path(entry.path)))
        return sorted(files, key=lambda file: file[0].st_mtime_ns, reverse=True)

    def _evict(self) -> None:
        """Delete expired results, then the least recently used until the limits are kept."""
        files = self._files()
        oldest_s = self._clock.now_s() - self._max_age_s
        total_bytes = 0
        kept: set[str] = set()
        results = [file for file in files if file[1].name.endswith(_SUFFIX)]
        for place, (stat, path) in enumerate(results):
            total_bytes += stat.st_size
            over = place >= self._max_entries or (place > 0 and total_bytes > self._max_bytes)
            if over or stat.st_mtime < oldest_s:
                _delete(path)
            else:
                kept.add(path.name.removesuffix(_SUFFIX))
        for stat, path in files:
            if path.name.endswith(_SOUNDS_SUFFIX):
                total_bytes += stat.st_size
                result_id = path.name.removesuffix(_SOUNDS_SUFFIX)
                if result_id not in kept or total_bytes > self._max_bytes:
                    _delete(path)
        self._evict_corrected([path for _, path in files], kept)

    def _evict_corrected(self, paths: Sequence[Path], kept: Collection[str]) -> None:
        """Delete corrections of other results than those kept, and the least recently used ones.

        ``paths`` are all files, the last used first.
        """
        counts: Counter[str] = Counter()
        for path in paths:
            if path.name.endswith(_CORRECTED_SUFFIX):
                _, _, root_id = path.name.removesuffix(_CORRECTED_SUFFIX).partition(".")
                counts[root_id] += 1
                if root_id not in kept or counts[root_id] > MAX_CORRECTED:
                    _delete(path)


class _Clock:
    """A clock that no setting of the system's clock moves.

    Parameters
    ----------
    stamps_s : sequence of float
        The times that the clock has given before.
    """

    def __init__(self, stamps_s: Sequence[float]) -> None:
        self._latest_s = max(stamps_s, default=0.0)
        start_s = min(time.time(), self._latest_s) if stamps_s else time.time()
        self._offset_s = start_s - time.monotonic()

    def now_s(self) -> float:
        """Return the time, in seconds since 1970 by the system's clock at the beginning."""
        return self._offset_s + time.monotonic()

    def stamp_s(self) -> float:
        """Return the time of a use, later than all others."""
        self._latest_s = max(self.now_s(), self._latest_s + _TICK_S)
        return self._latest_s


def _delete(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _cannot_read(error: OSError) -> QueueFull:
    _log.warning("cache_not_readable", reason=error.strerror)
    return QueueFull(
        f"the result cannot be read just now: {error.strerror}", retry_after_s=_RETRY_AFTER_S
    )


def _read(path: Path) -> CachedResult:
    with gzip.open(path) as file:
        return _decode(file.read(_MAX_JSON_BYTES + 1))


def _decode(data: bytes) -> CachedResult:
    if len(data) > _MAX_JSON_BYTES:
        raise ValueError("too large")
    try:
        return _ADAPTER.validate_json(data)
    except InvalidCorrections as error:
        raise ValueError(error.cause) from error


def _write_sounds(path: Path, *, sounds: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, sound in sounds.items():
            archive.writestr(name, sound)


def _read_sounds(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _list_sounds(path: Path) -> tuple[str, ...]:
    with zipfile.ZipFile(path) as archive:
        return tuple(archive.namelist())


def _open_sound(path: Path, *, name: str) -> OpenSound | None:
    with zipfile.ZipFile(path) as archive:
        if name not in archive.namelist():
            return None
        # The file stays open for the member, also after it is deleted.
        return OpenSound(archive.getinfo(name).file_size, archive.open(name))
