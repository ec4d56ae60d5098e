"""Notes of rendered examples, in files, from which a small network learns in several epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from model_zoo.training.tagger.take import Take

N = TypeVar("N", bound=tuple[Any, ...])
"""A named tuple of arrays, whose first axis is notes."""


def store(
    examples: Iterable[Take],
    look: Callable[[int, Take], N],
    folder: Path,
    minutes: float,
    seed: int,
    together: int,
    say: Callable[[str], None],
) -> None:
    """Store the notes of examples in a folder for a number of minutes.

    Parameters
    ----------
    examples : iterable of Take
        Endless.
    look : callable
        Returns the notes of an example, given its number.
    folder : Path
        Made if it is missing.
    minutes : float
    seed : int
        Of the examples, for the names of files.
    together : int
        Examples in a file.
    say : callable
        Called with a line after each file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbered = enumerate(examples)
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < 60 * minutes:
        notes = join(look(index, take) for index, take in islice(numbered, together))
        np.savez(folder / f"{seed:04d}-{number:04d}.npz", **notes._asdict())  # type: ignore[attr-defined]
        number += 1
        say(f"{number * together} examples, {(time.monotonic() - began) / 60:.1f} minutes")


def join(parts: Iterable[N]) -> N:
    """Concatenate notes."""
    parts = list(parts)
    joined: N = parts[0]._make(map(np.concatenate, zip(*parts, strict=True)))  # type: ignore[attr-defined]
    return joined


def iterate_files(kind: type[N], folder: Path) -> Iterator[N]:
    """Yield what :func:`store` wrote to each file of a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise FileNotFoundError(f"no notes: no *.npz in {folder}")
    for path in paths:
        with np.load(path) as kept:
            yield kind._make(kept[name] for name in kind._fields)  # type: ignore[attr-defined]
