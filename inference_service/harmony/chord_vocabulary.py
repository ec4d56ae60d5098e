"""The chords that are recognised, in terms of the chord network's outputs.

A chord names one class of each output: ``G:7/3`` is the triad G major over B, with a minor seventh
and no ninth, eleventh or thirteenth. Only chords with a written name of their own
(:mod:`inference_service.music.chord_names`) are recognised. The published vocabulary also has
elevenths and thirteenths, and lacks sixths and the inversions of sevenths; accuracy is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.harmony.chord_network import CLASSES
from inference_service.music.events import NO_CHORD

Likelihoods = NDArray[np.float32]

_ROOTS: Final = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SEMITONES: Final = {
    "": 0, "2": 2, "b3": 3, "3": 4, "5": 7, "b7": 10, "7": 11,
}  # fmt: skip
"""Degrees that may be the bass."""

_MAJ, _MIN, _SUS4, _SUS2, _DIM, _AUG = range(6)
"""Triads, in the network's order."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Classes of the outputs, and the basses besides the root."""

    triad: int
    seventh: int = 0
    ninth: int = 0
    thirteenth: int = 0
    basses: tuple[str, ...] = ()


_KINDS: Final = {
    "maj": _Kind(_MAJ, basses=("3", "5", "b7", "2")),
    "min": _Kind(_MIN, basses=("b3", "5", "b7", "2")),
    "dim": _Kind(_DIM),
    "aug": _Kind(_AUG),
    "sus4": _Kind(_SUS4),
    "sus2": _Kind(_SUS2),
    "7": _Kind(_MAJ, seventh=2, basses=("3", "5", "b7")),
    "maj7": _Kind(_MAJ, seventh=1, basses=("3", "5", "7")),
    "min7": _Kind(_MIN, seventh=2, basses=("b3", "5", "b7")),
    "hdim7": _Kind(_DIM, seventh=2),
    "dim7": _Kind(_DIM, seventh=3),
    "maj6": _Kind(_MAJ, thirteenth=1),
    "min6": _Kind(_MIN, thirteenth=1),
    "sus4(b7)": _Kind(_SUS4, seventh=2),
    "9": _Kind(_MAJ, seventh=2, ninth=1),
    "maj9": _Kind(_MAJ, seventh=1, ninth=1),
    "min9": _Kind(_MIN, seventh=2, ninth=1),
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Chords by index.

    Attributes
    ----------
    labels : tuple of str
        Harte labels; the first is ``N``.
    columns : np.ndarray of int, shape (K, 6)
        The column of each output, all outputs side by side; -1 where an output does not matter.
    """

    labels: tuple[str, ...]
    columns: NDArray[np.int64]

    def score(self, probabilities: NDArray[np.float32]) -> Likelihoods:
        """Return the log likelihood of each chord in each frame, shape ``(T, K)``.

        Parameters
        ----------
        probabilities : np.ndarray, shape (T, 100), float32
            The network's outputs side by side.
        """
        logs = np.log(np.maximum(probabilities, _LEAST), dtype=np.float32)
        padded = np.pad(logs, ((0, 0), (0, 1)))  # column -1
        scores: Likelihoods = padded[:, self.columns[:, 0]]
        for column in self.columns.T[1:]:
            scores += padded[:, column]
        return scores


_LEAST: Final = 1e-7
"""Probability below which outputs do not differ."""


def build_vocabulary() -> Vocabulary:
    """Return the chords on all roots, and no chord."""
    entries = list(_list_chords())
    return Vocabulary(
        labels=tuple(label for label, _ in entries),
        columns=np.array([columns for _, columns in entries]),
    )


def _list_chords() -> Iterator[tuple[str, tuple[int, ...]]]:
    triad, bass, seventh, ninth, eleventh, thirteenth = np.cumsum((0, *CLASSES[:-1])).tolist()
    yield NO_CHORD, (triad, -1, -1, -1, -1, -1)
    for name, kind in _KINDS.items():
        tones = (seventh + kind.seventh, ninth + kind.ninth, eleventh, thirteenth + kind.thirteenth)
        for degree in ("", *kind.basses):
            for root, spelling in enumerate(_ROOTS):
                label = f"{spelling}:{name}{degree and f'/{degree}'}"
                sounding = (root + _SEMITONES[degree]) % 12
                yield label, (triad + 1 + 12 * kind.triad + root, bass + 1 + sounding, *tones)
