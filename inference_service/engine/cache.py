"""Results in a folder, so that they can be rendered again without inference.

Each result is a file of gzipped JSON, written atomically; its modification time is the time of its
last use. Its sounds are in an archive beside it, its corrections in small files, and its key is the
name of an empty file; all are deleted with the result. The results of one recording share one
archive, by hard links. Number, size and age are limited, and the least recently used are evicted
first. Results take precedence: archives may use the bytes that the results leave.

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

import os
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Final, TypeVar

import structlog

from inference_service.engine.corrected import (
    MAX_ENTRY_BYTES,
    CorrectedEntry,
    Lineage,
    pack_entry,
    unpack_entry,
)
from inference_service.engine.results import (
    DAMAGE,
    MAX_CORRECTED,
    CachedResult,
    Heard,
    OpenSound,
    draw_id,
    is_id,
    pack_result,
    unpack_result,
)
from inference_service.engine.sound_archive import (
    list_sounds,
    open_sound,
    read_sounds,
    write_sounds,
)
from inference_service.engine.stamps import StampClock
from inference_service.engine.unstored import UnstoredResults
from inference_service.errors import QueueFull, ResultExpired, SoundUnavailable
from inference_service.music.corrections import Corrections

_SUFFIX: Final = ".json.gz"
_SOUNDS_SUFFIX: Final = ".stems.zip"
_CORRECTED_SUFFIX: Final = ".corrected"
_HEARD_SUFFIX: Final = ".heard"
_RETRY_AFTER_S: Final = 10.0

_log = structlog.get_logger()

T = TypeVar("T")


class ResultCache:
    """Stores results in a folder, as :class:`~inference_service.engine.results.ResultStore` says.

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
        self._unstored = UnstoredResults()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for leftover in directory.glob("*.tmp"):
                leftover.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("cache_not_writable", reason=error.strerror)
        self._clock = StampClock([stat.st_mtime for stat, _ in self._files()])

    def put(
        self, result: CachedResult, sounds: Mapping[str, bytes] | None = None, key: str = ""
    ) -> str:
        """Store a result with its sounds, and return its id."""
        write = partial(write_sounds, sounds=sounds) if sounds else None
        return self._put(result, write, key)

    def put_again(self, source_id: str, result: CachedResult, key: str) -> str:
        """Store a result with the sounds that another has, which take no more room."""
        return self._put(result, partial(_link, self._sounds_path(source_id)), key)

    def find_heard(self, key: str) -> Heard | None:
        """Return what is kept under a key."""
        with self._lock:
            for path in list(self._directory.glob(f"{key}.*{_HEARD_SUFFIX}")):
                result_id = path.stem.partition(".")[2]
                with suppress(ResultExpired):
                    return Heard(result_id, self._read(result_id).transcription)
        return None

    def _put(self, result: CachedResult, write: Callable[[Path], object] | None, key: str) -> str:
        """Store a result whose sounds are written by ``write``, if it has any."""
        result_id = draw_id()
        data = pack_result(result)
        with self._lock:
            try:
                if write is not None:
                    with suppress(FileNotFoundError):  # another result's sounds that are gone
                        self._write(self._sounds_path(result_id), write)
                if key:
                    self._write(self._heard_path(key, result_id), Path.touch)
                self._write(self._path(result_id), lambda path: path.write_bytes(data))
            except OSError as error:
                _log.warning("result_not_stored", reason=error.strerror)
                self._unstored.put(result_id, data)
            self._evict()
        return result_id

    def put_corrected(self, previous_id: str, corrections: Corrections) -> str:
        """Store a result with all its corrections, and return its id."""
        with self._lock:
            root_id = self._trace(previous_id).root_id
            if not corrections:
                return root_id
            entry = CorrectedEntry(root_id, previous_id, corrections)
            if root_id in self._unstored:
                self._unstored.put_corrected(entry)
                return entry.id
            data = pack_entry(entry)
            try:
                self._write(self._corrected_path(entry), lambda path: path.write_bytes(data))
            except OSError as error:
                _log.warning("correction_not_stored", reason=error.strerror)
                self._unstored.put_corrected(entry)
            self._evict()
            return entry.id

    def get(self, result_id: str) -> CachedResult:
        """Return a result with its corrections, and update the time of its last use."""
        with self._lock:
            entry = self._find_corrected(result_id)
            if entry is None:
                return self._get_uncorrected(result_id)
            result = self._get_uncorrected(entry.root_id)
            if self._unstored.find_corrected(result_id) is None:
                self._touch(self._corrected_path(entry))
        return result.correct(entry.corrections)

    def trace(self, result_id: str) -> Lineage:
        """Return where a result comes from."""
        with self._lock:
            return self._trace(result_id)

    def is_lasting(self, result_id: str) -> bool:
        """Whether a result is on disk, and so survives a restart."""
        with self._lock:
            if self._unstored.find_corrected(result_id) is not None:
                return False
            return self._trace(result_id).root_id not in self._unstored

    def get_sounds(self, result_id: str) -> dict[str, bytes]:
        """Return a result's sounds by name; empty if they are no longer kept."""
        return self._read_archive(result_id, read_sounds) or {}

    def list_sounds(self, result_id: str) -> tuple[str, ...]:
        """Return the names of a result's sounds."""
        return self._read_archive(result_id, list_sounds) or ()

    def open_sound(self, result_id: str, name: str) -> OpenSound:
        """Open one of a result's sounds, to be read piece by piece."""
        if not is_id(result_id):
            raise ResultExpired("no such result")
        with self._lock:
            root_id = self._trace(result_id).root_id
            if root_id not in self._unstored and not self._is_stored(root_id):
                raise ResultExpired("the result is no longer kept")
        sound = self._read_archive(root_id, partial(open_sound, name=name))
        if sound is None:
            raise SoundUnavailable("the sound is not kept")
        return sound

    def forget(self, result_id: str) -> None:
        """Delete a result, named by any of its ids, and what belongs to it, if it is kept."""
        if not is_id(result_id):
            return
        with self._lock:
            try:
                root_id = self._trace(result_id).root_id
            except ResultExpired:
                return
            self._unstored.forget(root_id)
            self._forget(root_id)

    def _is_stored(self, result_id: str) -> bool:
        try:
            return self._path(result_id).exists()
        except OSError as error:
            raise _cannot_read(error) from error

    def _read_archive(self, result_id: str, read: Callable[[Path], T]) -> T | None:
        """Read from the archive of a result's sounds; return None if there is none."""
        if not is_id(result_id):
            return None
        with self._lock:
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

    def _get_uncorrected(self, result_id: str) -> CachedResult:
        if not is_id(result_id):
            raise ResultExpired("no such result")
        if result_id in self._unstored:
            return self._unstored.get(result_id)
        result = self._read(result_id)
        self._touch(self._path(result_id))
        return result

    def _read(self, result_id: str) -> CachedResult:
        """Read an uncorrected result from the disk."""
        path = self._path(result_id)
        try:
            if self._clock.now_s() - path.stat().st_mtime > self._max_age_s:
                self._forget(result_id)
                raise ResultExpired("the result is no longer kept")
            return _read(path)
        except FileNotFoundError as error:
            if not self._directory.is_dir():
                raise _cannot_read(error) from error
            raise ResultExpired("the result is no longer kept") from None
        except DAMAGE as error:
            _log.warning("cached_result_unreadable", reason=type(error).__name__)
            _delete(path)
            raise ResultExpired("the result can no longer be read") from error
        except OSError as error:
            raise _cannot_read(error) from error

    def _trace(self, result_id: str) -> Lineage:
        entry = self._find_corrected(result_id)
        return Lineage(result_id) if entry is None else Lineage(entry.root_id, entry.previous_id)

    def _find_corrected(self, result_id: str) -> CorrectedEntry | None:
        """Return what is kept of a corrected result; None if there is none of this id."""
        if not is_id(result_id):
            return None
        if (entry := self._unstored.find_corrected(result_id)) is not None:
            return entry
        if result_id in self._unstored:
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

    def _path(self, result_id: str) -> Path:
        return self._directory / (result_id + _SUFFIX)

    def _sounds_path(self, result_id: str) -> Path:
        return self._directory / (result_id + _SOUNDS_SUFFIX)

    def _corrected_path(self, entry: CorrectedEntry) -> Path:
        return self._directory / f"{entry.id}.{entry.root_id}{_CORRECTED_SUFFIX}"

    def _heard_path(self, key: str, result_id: str) -> Path:
        return self._directory / f"{key}.{result_id}{_HEARD_SUFFIX}"

    def _forget(self, result_id: str) -> None:
        """Delete a result and what belongs to it."""
        _delete(self._path(result_id))
        _delete(self._sounds_path(result_id))
        for suffix in (_CORRECTED_SUFFIX, _HEARD_SUFFIX):
            for path in self._directory.glob(f"*.{result_id}{suffix}"):
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
        counted: set[int] = set()
        for stat, path in files:
            if path.name.endswith(_SOUNDS_SUFFIX):
                total_bytes += 0 if stat.st_ino in counted else stat.st_size
                counted.add(stat.st_ino)
                result_id = path.name.removesuffix(_SOUNDS_SUFFIX)
                if result_id not in kept or total_bytes > self._max_bytes:
                    _delete(path)
        self._evict_parts([path for _, path in files], kept)

    def _evict_parts(self, paths: Sequence[Path], kept: Collection[str]) -> None:
        """Delete corrections and keys of other results than those kept, and surplus corrections.

        ``paths`` are all files, the last used first.
        """
        counts: Counter[str] = Counter()
        for path in paths:
            if path.suffix in (_CORRECTED_SUFFIX, _HEARD_SUFFIX):
                root_id = path.stem.partition(".")[2]
                counts[root_id] += path.suffix == _CORRECTED_SUFFIX
                if root_id not in kept or counts[root_id] > MAX_CORRECTED:
                    _delete(path)


def _delete(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _link(source: Path, path: Path) -> None:
    """Give a file another name, or copy it where the file system has no such links."""
    try:
        path.hardlink_to(source)
    except OSError:
        copyfile(source, path)


def _cannot_read(error: OSError) -> QueueFull:
    _log.warning("cache_not_readable", reason=error.strerror)
    return QueueFull(
        f"the result cannot be read just now: {error.strerror}", retry_after_s=_RETRY_AFTER_S
    )


def _read(path: Path) -> CachedResult:
    with path.open("rb") as file:
        return unpack_result(file)
