"""OpenScore: songs with piano (Lieder) and string quartets, transcribed by volunteers.

Repeats are not unfolded and tempos are not read. The Roman-numeral analyses that come with the
songs are predictions of a network and are not used as labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from model_zoo.training.sources.piece import CC0, Origin, Piece
from model_zoo.training.sources.scores import parse_score, play_deadpan, read_archive
from model_zoo.training.sources.splits import name_work
from model_zoo.training.sources.survey import Entry


def list_openscore(archive: Path) -> Iterator[Entry]:
    """List the archive's scores."""
    for name, text in read_archive(archive):
        yield Entry(name, partial(read_openscore, name, text))


def read_openscore(name: str, text: bytes) -> Piece:
    """Read a score; its title is the name of the folder that holds it in the archive.

    Raises
    ------
    ValueError
        If it has no notes.
    """
    title = PurePosixPath(name).parent.name.replace("_", " ")
    return play_deadpan(parse_score(name, text), Origin("openscore", name_work(title), CC0))
