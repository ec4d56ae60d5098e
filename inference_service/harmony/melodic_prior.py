"""How likely each step of a melody is in a key, learnt from written melodies.

A melody in a key is a second-order Markov chain over scale degrees: the next interval is
conditioned on the degree that it leaves and on the interval before. Degrees are the twelve pitch
classes over the tonic; intervals beyond an octave count as an octave. The tables are log
probabilities, smoothed and written by ``python -m model_zoo.training.singing prior``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from inference_service.errors import ModelRejected
from inference_service.music.events import Mode

MODES: Final[tuple[Mode, ...]] = ("major", "minor")
DEGREES: Final = 12
WIDEST: Final = 12
"""Larger intervals are counted as this one, in semitones."""

INTERVALS: Final = 2 * WIDEST + 1

Table = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MelodicPrior:
    """Log probabilities; M modes (:data:`MODES`), D degrees, I intervals from -12 to 12.

    Attributes
    ----------
    first, last : np.ndarray, shape (M, D), float32
        The first and the last degree.
    second : np.ndarray, shape (M, D, I), float32
        The first interval, given the degree that it leaves.
    following : np.ndarray, shape (M, I, D, I), float32
        An interval, given the one before and the degree that it leaves.
    """

    first: Table
    second: Table
    following: Table
    last: Table

    def score_keys(self, pitch: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log probability of a melody in each key.

        Parameters
        ----------
        pitch : np.ndarray of int, shape (N,), N at least 2
            MIDI numbers of a whole melody.

        Returns
        -------
        np.ndarray, shape (M, 12)
            For each mode and each tonic's pitch class.
        """
        degree = (pitch - np.arange(12)[:, None]) % DEGREES
        step = np.clip(np.diff(pitch), -WIDEST, WIDEST) + WIDEST
        following = self.following[:, step[:-1], degree[:, 1:-1], step[1:]]
        return np.asarray(
            self.first[:, degree[:, 0]]
            + self.second[:, degree[:, 0], step[0]]
            + following.sum(axis=-1)
            + self.last[:, degree[:, -1]],
            np.float64,
        )

    def save(self, path: Path, metadata: dict[str, str]) -> None:
        """Write the tables as safetensors."""
        tables: dict[str, Table] = {field.name: getattr(self, field.name) for field in fields(self)}
        save_file(tables, path, metadata)


def load_prior(path: Path) -> MelodicPrior:
    """Read what :meth:`MelodicPrior.save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If it holds anything else.
    """
    modes = len(MODES)
    shapes = {
        "first": (modes, DEGREES),
        "second": (modes, DEGREES, INTERVALS),
        "following": (modes, INTERVALS, DEGREES, INTERVALS),
        "last": (modes, DEGREES),
    }
    try:
        tables = load_file(path)
    except SafetensorError as error:
        raise ModelRejected(f"{path.name} is not a safetensors file", model=path.stem) from error
    if {name: table.shape for name, table in tables.items()} != shapes:
        raise ModelRejected(f"{path.name} holds no melodic prior", model=path.stem)
    return MelodicPrior(**tables)
