"""The written music that the networks for performed notes learn from.

:data:`ARCHIVES` names the archives of the data folder and the share of the examples that is drawn
from each. A piece is held out by the hash of its composition, so that all editions of it are.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import numpy as np
from numpy.random import Generator

from model_zoo.training.rhythm.performance import select
from model_zoo.training.sources.kern import read_kern_archive
from model_zoo.training.sources.mutopia import read_mutopia
from model_zoo.training.sources.scores import WrittenPiece, parse_score, read_archive

POLISH: Final = "polish_scores"
CHOPIN: Final = "chopin_first_editions"
MUTOPIA: Final = "mutopia"
MIN_NOTES: Final = 24
ARCHIVES: Final = {
    "openscore_lieder": 0.28,
    "openscore_quartets": 0.08,
    "openewld": 0.05,
    POLISH: 0.28,
    CHOPIN: 0.13,
    MUTOPIA: 0.18,
}
"""Probability that a piece is drawn from each archive."""

Pieces = dict[str, list[WrittenPiece]]
"""Pieces by archive."""

E = TypeVar("E")

_DEV_SHARE: Final = 20  # one composition in twenty is held out
_CHOPIN_NAME: Final = re.compile(r"kern/(\d{3})-\d\w*-")
_POLISH_NAME: Final = re.compile(r"kern/pl-[^_]*_(.*)\.krn")


def load_pieces(folder: Path) -> Pieces:
    """Parse the archives in the data folder, which takes a few minutes."""
    return {name: list(_read(name, folder / f"{name}.zip")) for name in ARCHIVES}


def _read(name: str, archive: Path) -> Iterator[WrittenPiece]:
    if name in (POLISH, CHOPIN):
        yield from read_kern_archive(archive)
    elif name == MUTOPIA:
        yield from read_mutopia(archive)
    else:
        for file, text in read_archive(archive):
            try:
                yield parse_score(file, text)
            except ValueError:
                continue  # a score without notes


def name_composition(file: str) -> str:
    """Return a name that all files of a composition share, given that of one of its files.

    >>> name_composition("kern/004-1a-COC-001.krn")
    'chopin 004'
    >>> name_composition("kern/pl-sa--481-a-viii-121--021_anonim--mazurek.krn")
    'anonim--mazurek'
    """
    if found := _CHOPIN_NAME.match(file):
        return f"chopin {found[1]}"
    if found := _POLISH_NAME.match(file):
        return found[1]
    if file.endswith(".mid") and "__" in file:  # Mutopia's composer__work__movement
        return "__".join(PurePosixPath(file).stem.split("__")[:2])
    return file


def is_dev(piece: WrittenPiece) -> bool:
    """Return whether a piece is held out for evaluation, which its composition decides."""
    return zlib.crc32(name_composition(piece.name).encode()) % _DEV_SHARE == 0


def split_pieces(pieces: Pieces) -> tuple[Pieces, Pieces]:
    """Return the pieces to learn from, and those held out; an archive without any gives all."""
    learnt = {name: [p for p in own if not is_dev(p)] for name, own in pieces.items()}
    held_out = {name: [p for p in own if is_dev(p)] or own for name, own in pieces.items()}
    return learnt, held_out


def draw_examples(
    pieces: Pieces,
    random: Generator,
    size: int,
    draw: Callable[[WrittenPiece, Generator], E | None],
) -> list[E]:
    """Draw pieces by the archives' shares until ``size`` of them gave an example."""
    names = [name for name in ARCHIVES if pieces.get(name)]
    shares = np.array([ARCHIVES[name] for name in names])
    examples: list[E] = []
    while len(examples) < size:
        group = pieces[names[int(random.choice(len(names), p=shares / shares.sum()))]]
        example = draw(group[int(random.integers(len(group)))], random)
        if example is not None:
            examples.append(example)
    return examples


def choose_notes(piece: WrittenPiece, rng: Generator) -> tuple[WrittenPiece | None, bool]:
    """Return the notes that one performer or ensemble plays, and whether it is one line."""
    staves = np.array(piece.staves)
    keyboards = np.flatnonzero(staves == 2)
    solo = len(staves) == 1 and staves[0] == 1
    keep = np.ones(len(piece.pitch), bool)
    if len(keyboards) and len(staves) > 1:
        chance = rng.random()
        if chance < 0.68:
            keep = piece.part == keyboards[0]
        elif chance < 0.82:
            keep = piece.part == int(rng.integers(len(staves) - 1))
            solo = True
    elif len(staves) > 1 and rng.random() < 0.15:
        keep = piece.part == int(rng.integers(len(staves)))
        solo = True
    if int(keep.sum()) < MIN_NOTES:
        return None, solo
    return select(piece, keep), solo
