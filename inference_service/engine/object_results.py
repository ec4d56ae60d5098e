"""Results in an object store, which services on several machines share.

Everything of a result is below one path, so that a listing of it finds all::

    results/ID/result.json.gz     as in a folder
    results/ID/sounds.zip         the archive of its sounds
    results/ID/used               empty; rewritten when the result is used
    results/ID/corrected/ID2      empty; names a corrected result
    results/ID/heard/KEY          empty; names the key that the result is stored under
    corrected/ID2                 what remains to be said of a corrected result
    heard/KEY/ID                  empty; leads from a key to its results

The last two are written after, and deleted before, what names them: a result that can be listed can
be deleted whole, also after a service was killed half-way.

Age
---
A result is deleted when it has not been used for a while. A use is recorded as a new ``used``, by
each service at most :data:`_USES_IN_AGE` times in this while. :meth:`ObjectResults.sweep` lists all
results, when a result is stored and the last sweep of any service was long ago; it reads the time
from the store, so that no machine's clock matters. Number and size are not limited: that is what a
bucket is for. While nothing is stored, nothing is swept; a rule of the bucket's may delete what is
much older.

Faults
------
A store that does not answer makes every method raise ``QueueFull``. Only what the store itself says
is missing, or what is damaged, has expired. What it does not take is kept in this service's memory,
as the newest of a few, and is found by this service alone.
"""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import groupby
from tempfile import SpooledTemporaryFile
from typing import IO, Final, TypeVar

import structlog

from inference_service.engine.bucket import Bucket, StoredObject
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
    MAX_JSON_BYTES,
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
from inference_service.engine.unstored import UnstoredResults
from inference_service.errors import QueueFull, ResultExpired, SoundUnavailable
from inference_service.music.corrections import Corrections

_USES_IN_AGE: Final = 8
_SWEEPS_IN_AGE: Final = 24
_MAX_REMEMBERED: Final = 10_000
"""Results of whose use this service remembers that it was recorded."""
_SPOOL_BYTES: Final = 8 * 2**20
"""An archive that is larger is put together in a file."""

_RESULTS: Final = "results"
_SWEPT: Final = "swept"

_log = structlog.get_logger()

T = TypeVar("T")


class ObjectResults:
    """Stores results in a bucket, as :class:`~inference_service.engine.results.ResultStore` says.

    Parameters
    ----------
    bucket : Bucket
    max_age_s : float
        Time since the last use, after which a sweep deletes a result.
    """

    def __init__(self, bucket: Bucket, max_age_s: float) -> None:
        self._bucket = bucket
        self._max_age_s = max_age_s
        self._unstored = UnstoredResults()
        self._used_s: OrderedDict[str, float] = OrderedDict()
        self._sweep_due_s = time.monotonic()
        self._lock = threading.Lock()
        """Of everything in memory; never held while the store is asked."""

    def put(
        self, result: CachedResult, sounds: Mapping[str, bytes] | None = None, key: str = ""
    ) -> str:
        """Store a result with its sounds, and return its id."""

        def write(path: str) -> None:
            with SpooledTemporaryFile(max_size=_SPOOL_BYTES) as archive:
                write_sounds(archive, sounds or {})
                archive.seek(0)
                self._bucket.write(path, archive)

        return self._put(result, write if sounds else None, key)

    def put_again(self, source_id: str, result: CachedResult, key: str) -> str:
        """Store a result with a copy, made inside the store, of the sounds that another has."""
        return self._put(result, partial(self._bucket.copy, _sounds_path(source_id)), key)

    def find_heard(self, key: str) -> Heard | None:
        """Return what is kept under a key."""
        for found in self._bucket.list(f"heard/{key}"):
            result_id = found.path.rpartition("/")[2]
            with suppress(ResultExpired):
                return Heard(result_id, self._read(result_id).transcription)
        return None

    def put_corrected(self, previous_id: str, corrections: Corrections) -> str:
        """Store a result with all its corrections, and return its id."""
        root_id = self.trace(previous_id).root_id
        if not corrections:
            return root_id
        entry = CorrectedEntry(root_id, previous_id, corrections)
        if not self._is_unstored(root_id):
            try:
                self._bucket.write(f"{_folder(root_id)}/corrected/{entry.id}", b"")
                self._bucket.write(_corrected_path(entry.id), pack_entry(entry))
                self._bound_corrected(entry)
                return entry.id
            except QueueFull:
                _log.warning("correction_not_stored")
        with self._lock:
            self._unstored.put_corrected(entry)
        return entry.id

    def get(self, result_id: str) -> CachedResult:
        """Return a result with its corrections, and record the use."""
        try:
            return self._use(result_id)
        except ResultExpired:
            entry = self._find_corrected(result_id)
            if entry is None:
                raise
        return self._use(entry.root_id).correct(entry.corrections)

    def trace(self, result_id: str) -> Lineage:
        """Return where a result comes from."""
        entry = self._find_corrected(result_id)
        return Lineage(result_id) if entry is None else Lineage(entry.root_id, entry.previous_id)

    def is_lasting(self, result_id: str) -> bool:
        """Whether a result is in the store."""
        with self._lock:
            return (
                result_id not in self._unstored and self._unstored.find_corrected(result_id) is None
            )

    def get_sounds(self, result_id: str) -> dict[str, bytes]:
        """Return a result's sounds by name; empty if they are no longer kept."""
        return self._read_archive(result_id, read_sounds) or {}

    def list_sounds(self, result_id: str) -> tuple[str, ...]:
        """Return the names of a result's sounds."""
        return self._read_archive(result_id, list_sounds) or ()

    def open_sound(self, result_id: str, name: str) -> OpenSound:
        """Open one of a result's sounds, of which a piece at a time is in memory."""
        if not is_id(result_id):
            raise ResultExpired("no such result")
        root_id = self.trace(result_id).root_id
        if not self._is_unstored(root_id) and self._bucket.find(_result_path(root_id)) is None:
            raise ResultExpired("the result is no longer kept")
        sound = self._read_archive(root_id, partial(open_sound, name=name))
        if sound is None:
            raise SoundUnavailable("the sound is not kept")
        return sound

    def forget(self, result_id: str) -> None:
        """Delete a result, named by any of its ids, and what belongs to it, if it is kept."""
        if not is_id(result_id):
            return
        try:
            root_id = self.trace(result_id).root_id
        except ResultExpired:
            return
        with self._lock:
            self._unstored.forget(root_id)
            self._used_s.pop(root_id, None)
        self._delete(self._bucket.list(_folder(root_id)), last=_corrected_path(result_id))

    def sweep(self) -> int:
        """Delete the results that have not been used for a while; return their number.

        Raises
        ------
        QueueFull
        """
        before = self._bucket.find(_SWEPT)
        self._bucket.write(_SWEPT, b"")
        swept = self._bucket.find(_SWEPT)
        if swept is None:
            return 0
        if before is not None and swept.written_s - before.written_s < self._sweep_s:
            return 0  # another service has just done this
        oldest_s, count = swept.written_s - self._max_age_s, 0
        for root_id, objects in groupby(self._bucket.list(_RESULTS), _root_of):
            if _last_use_s(objects) >= oldest_s:
                continue
            everything = list(self._bucket.list(_folder(root_id)))  # a listing may be unsorted
            if _last_use_s(everything) < oldest_s:
                self._delete(everything)
                count += 1
        _log.info("results_swept", expired=count)
        return count

    @property
    def _sweep_s(self) -> float:
        return self._max_age_s / _SWEEPS_IN_AGE

    def _put(self, result: CachedResult, write: Callable[[str], None] | None, key: str) -> str:
        """Store a result whose sounds are written by ``write``, if it has any."""
        result_id = draw_id()
        data = pack_result(result)
        try:
            if write is not None:
                with suppress(FileNotFoundError):  # another result's sounds that are gone
                    write(_sounds_path(result_id))
            self._bucket.write(_result_path(result_id), data)
            if key:
                self._bucket.write(f"{_folder(result_id)}/heard/{key}", b"")
                self._bucket.write(_heard_path(key, result_id), b"")
            self._note_use(result_id)
        except QueueFull:
            _log.warning("result_not_stored")
            with self._lock:
                self._unstored.put(result_id, data)
        self._sweep_soon()
        return result_id

    def _use(self, root_id: str) -> CachedResult:
        """Return an uncorrected result, and record the use."""
        if not is_id(root_id):
            raise ResultExpired("no such result")
        with self._lock:
            if root_id in self._unstored:
                return self._unstored.get(root_id)
        result = self._read(root_id)
        if self._note_use(root_id):
            with suppress(QueueFull):
                self._bucket.write(f"{_folder(root_id)}/used", b"")
        return result

    def _note_use(self, root_id: str) -> bool:
        """Remember that a result is used now; return whether the store is to know of it."""
        now_s = time.monotonic()
        with self._lock:
            noted_s = self._used_s.get(root_id)
            if noted_s is not None and now_s - noted_s < self._max_age_s / _USES_IN_AGE:
                return False
            self._used_s[root_id] = now_s
            self._used_s.move_to_end(root_id)
            while len(self._used_s) > _MAX_REMEMBERED:
                self._used_s.popitem(last=False)
        return True

    def _read(self, root_id: str) -> CachedResult:
        """Read an uncorrected result from the store."""
        path = _result_path(root_id)
        try:
            return unpack_result(io.BytesIO(self._bucket.read(path, MAX_JSON_BYTES)))
        except FileNotFoundError:
            raise ResultExpired("the result is no longer kept") from None
        except DAMAGE as error:
            _log.warning("cached_result_unreadable", reason=type(error).__name__)
            self._bucket.delete([path])
            raise ResultExpired("the result can no longer be read") from error

    def _read_archive(self, result_id: str, read: Callable[[IO[bytes]], T]) -> T | None:
        """Read from the archive of a result's sounds; return None if there is none."""
        if not is_id(result_id):
            return None
        root_id = self.trace(result_id).root_id
        if self._is_unstored(root_id):
            return None
        path = _sounds_path(root_id)
        try:
            return read(self._bucket.open(path))
        except FileNotFoundError:
            return None
        except (zipfile.BadZipFile, EOFError) as error:
            _log.warning("cached_sounds_unreadable", reason=type(error).__name__)
            self._bucket.delete([path])
            return None

    def _is_unstored(self, root_id: str) -> bool:
        with self._lock:
            return root_id in self._unstored

    def _find_corrected(self, result_id: str) -> CorrectedEntry | None:
        """Return what is kept of a corrected result; None if there is none of this id."""
        if not is_id(result_id) or self._is_unstored(result_id):
            return None
        with self._lock:
            if (entry := self._unstored.find_corrected(result_id)) is not None:
                return entry
        path = _corrected_path(result_id)
        try:
            return unpack_entry(self._bucket.read(path, MAX_ENTRY_BYTES))
        except FileNotFoundError:
            return None
        except ValueError as error:
            _log.warning("cached_correction_unreadable", reason=type(error).__name__)
            self._bucket.delete([path])
            raise ResultExpired("the correction can no longer be read") from error

    def _bound_corrected(self, entry: CorrectedEntry) -> None:
        """Delete the oldest surplus corrections; delete all if the result is gone meanwhile.

        Raises
        ------
        ResultExpired
        """
        objects = list(self._bucket.list(_folder(entry.root_id)))
        newest = _corrected_path(entry.id)
        if _result_path(entry.root_id) not in {each.path for each in objects}:
            self._delete(objects, last=newest)
            raise ResultExpired("the result is no longer kept")
        markers = [each for each in objects if "/corrected/" in each.path]
        markers.sort(key=lambda marker: (_named_by(marker.path) == newest, marker.written_s))
        surplus = [each.path for each in markers[: max(0, len(markers) - MAX_CORRECTED)]]
        self._bucket.delete([_named_by(path) for path in surplus])
        self._bucket.delete(surplus)

    def _delete(self, objects: Iterable[StoredObject], last: str = "") -> None:
        """Delete a result's objects and what they name, and ``last`` when nothing else is left."""
        paths = [each.path for each in objects]
        markers = [path for path in paths if _named_by(path)]
        self._bucket.delete([path for path in paths if path not in set(markers)])
        self._bucket.delete([path for path in map(_named_by, markers) if path != last])
        self._bucket.delete([*markers, *filter(None, [last])])

    def _sweep_soon(self) -> None:
        """Sweep in a thread of its own, if that is due."""
        with self._lock:
            if time.monotonic() < self._sweep_due_s:
                return
            self._sweep_due_s = time.monotonic() + self._sweep_s
        threading.Thread(target=self._sweep_quietly, name="sweeper", daemon=True).start()

    def _sweep_quietly(self) -> None:
        with suppress(QueueFull):  # which is logged; the next sweep goes on
            self.sweep()


def _folder(root_id: str) -> str:
    return f"{_RESULTS}/{root_id}"


def _result_path(root_id: str) -> str:
    return f"{_folder(root_id)}/result.json.gz"


def _sounds_path(root_id: str) -> str:
    return f"{_folder(root_id)}/sounds.zip"


def _corrected_path(result_id: str) -> str:
    return f"corrected/{result_id}"


def _heard_path(key: str, root_id: str) -> str:
    return f"heard/{key}/{root_id}"


def _root_of(stored: StoredObject) -> str:
    return stored.path.split("/")[1]


def _named_by(marker: str) -> str:
    """Return the path that an object of a result's folder names; empty if it names none."""
    match marker.split("/"):
        case [_, _, "corrected", result_id]:
            return _corrected_path(result_id)
        case [_, root_id, "heard", key]:
            return _heard_path(key, root_id)
    return ""


def _last_use_s(objects: Iterable[StoredObject]) -> float:
    return max(each.written_s for each in objects)
