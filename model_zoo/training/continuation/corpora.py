"""The corpora of symbolic music, as songs, in three parts.

=========  =====================================  ====================================
corpus     ``train``                              ``dev``, ``test``
=========  =====================================  ====================================
pop909     songs 1-650 of the archive's order     651-700, 701-800
=========  =====================================  ====================================

The files are those of a data folder's ``symbolic``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, Literal

from model_zoo.training.continuation.pop909 import write_pop909
from model_zoo.training.continuation.song import Song as Song
from model_zoo.training.sources.pop909 import count_songs

Split = Literal["train", "dev", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "dev", "test")

Writer = Callable[[], Song | None]
"""Writes one song down; None where it is of no use."""

_POP909_DEV: Final = range(651, 701)
_POP909_TEST: Final = range(701, 801)


def read_corpus(name: str, symbolic: Path, split: Split) -> Iterator[Song]:
    """Yield the songs of one part of a corpus.

    Parameters
    ----------
    name : str
        One of :data:`CORPORA`.
    symbolic : Path
        The folder with the archives.
    split : {"train", "dev", "test"}
    """
    archive, list_writers = CORPORA[name]
    for part, write in list_writers(symbolic / archive):
        song = write() if part == split else None
        if song is not None:
            yield song


def _list_pop909(archive: Path) -> Iterator[tuple[Split, Writer]]:
    for number in range(1, count_songs(archive) + 1):
        yield split_pop909(number), partial(write_pop909, archive, number)


def split_pop909(number: int) -> Split:
    """Return the part of a song of POP909, by its 1-based number in the archive."""
    if number in _POP909_TEST:
        return "test"
    return "dev" if number in _POP909_DEV else "train"


CORPORA: Final[dict[str, tuple[str, Callable[[Path], Iterator[tuple[Split, Writer]]]]]] = {
    "pop909": ("pop909.zip", _list_pop909),
}
"""Each corpus's archive, and who lists what is in it."""
