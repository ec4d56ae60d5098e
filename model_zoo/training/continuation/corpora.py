"""The corpora of symbolic music as songs, split into three parts.

=========  =========================================  =============  ============
corpus     what                                       ``dev``        ``test``
=========  =========================================  =============  ============
pop909     arrangements of Chinese pop songs          651-700        701-800
lieder     songs of the 19th century, voice and       a tenth        a tenth
           piano, with estimated analyses
openewld   lead sheets: songs from before 1930, hymns a tenth        a tenth
=========  =========================================  =============  ============

The rest is ``train``. POP909 is split by the songs' 1-based numbers in the archive; the others by
the last digit of a hash of the composition's name, 0 for ``test`` and 1 for ``dev``, so that all
files of a composition are in the same part.

The archives are in the folder ``symbolic`` of the data folder. Conversion takes minutes, so songs
can be cached in a folder. The cache is invalid once an archive or a converting module of this
package has changed; after any other change, delete the folder.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, Literal, cast

from model_zoo.training.continuation.leadsheets import list_leadsheets, write_leadsheet
from model_zoo.training.continuation.lieder import list_lieder, write_lied
from model_zoo.training.continuation.pop909 import write_pop909
from model_zoo.training.continuation.song import Song as Song
from model_zoo.training.sources.pop909 import count_songs
from model_zoo.training.sources.splits import name_work

Split = Literal["train", "dev", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "dev", "test")

Writer = Callable[[], Song | None]
"""Converts one song; returns None if it cannot be used."""

_POP909_DEV: Final = range(651, 701)
_POP909_TEST: Final = range(701, 801)
_PROCESSES: Final = 2
_AT_ONCE: Final = 8


def read_corpus(
    name: str, symbolic: Path, split: Split, cache: Path | None = None
) -> Iterator[Song]:
    """Yield the songs of one part of a corpus.

    Parameters
    ----------
    name : str
        One of :data:`CORPORA`.
    symbolic : Path
        The folder with the archives.
    split : {"train", "dev", "test"}
    cache : Path or None
        Folder of cached songs; without one, songs are converted as they are requested.
    """
    file, list_writers = CORPORA[name]
    archive = symbolic / file
    writers = [write for part, write in list_writers(archive) if part == split]
    if cache is None:
        return _only_songs(write() for write in writers)
    kept = cache / f"{name}-{split}-{_digest(name, archive)}.pickle"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _keep(writers, kept)
    return _load(kept)


def _only_songs(songs: Iterable[Song | None]) -> Iterator[Song]:
    return (song for song in songs if song is not None)


def _digest(name: str, archive: Path) -> str:
    state = archive.stat()
    digest = hashlib.blake2b(f"{state.st_size} {state.st_mtime_ns}".encode(), digest_size=6)
    for module in ("corpora", "song", *_WRITING[name]):
        digest.update(Path(__file__).with_name(f"{module}.py").read_bytes())
    return digest.hexdigest()


def _keep(writers: list[Writer], target: Path) -> None:
    partial_file = target.with_suffix(f".{os.getpid()}")
    with ProcessPoolExecutor(_PROCESSES) as pool, partial_file.open("wb") as file:
        for song in _only_songs(pool.map(_call, writers, chunksize=_AT_ONCE)):
            pickle.dump(song, file)
    partial_file.rename(target)


def _call(write: Writer) -> Song | None:
    return write()


def _load(kept: Path) -> Iterator[Song]:
    with kept.open("rb") as file:
        while file.peek(1):
            yield cast(Song, pickle.load(file))


def _list_pop909(archive: Path) -> Iterator[tuple[Split, Writer]]:
    for number in range(1, count_songs(archive) + 1):
        yield split_pop909(number), partial(write_pop909, archive, number)


def _list_lieder(archive: Path) -> Iterator[tuple[Split, Writer]]:
    for score, analysis in list_lieder(archive):
        title = PurePosixPath(score).parent.name
        yield split_work(title), partial(write_lied, archive, score, analysis)


def _list_openewld(archive: Path) -> Iterator[tuple[Split, Writer]]:
    for name in list_leadsheets(archive):
        yield split_work(PurePosixPath(name).stem), partial(write_leadsheet, archive, name)


def split_pop909(number: int) -> Split:
    """Return the part of a song of POP909, by its 1-based number in the archive."""
    if number in _POP909_TEST:
        return "test"
    return "dev" if number in _POP909_DEV else "train"


def split_work(title: str) -> Split:
    """Return the part of a composition, by its title in a file's name."""
    name = name_work(title.replace("_", " "))
    digit = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % 10
    return "test" if digit == 0 else "dev" if digit == 1 else "train"


CORPORA: Final[dict[str, tuple[str, Callable[[Path], Iterator[tuple[Split, Writer]]]]]] = {
    "pop909": ("pop909.zip", _list_pop909),
    "lieder": ("openscore_lieder.zip", _list_lieder),
    "openewld": ("openewld.zip", _list_openewld),
}
"""The archive of each corpus, and the function that lists its songs."""

_WRITING: Final = {
    "pop909": ("pop909",),
    "lieder": ("written", "lieder"),
    "openewld": ("written", "leadsheets"),
}
"""The modules on which the result of converting a corpus depends."""
