"""How likely a sequence of chords is in a key, learnt from written music.

In a key and a style, chords follow each other as a Markov chain, and each kind of chord takes a
share of the time. A chord is its root over the tonic and its quality (:data:`QUALITIES`); sevenths
of major and minor chords, sixths and the bass do not count. Styles have tables of their own, for
what is usual in one of them is rare in another: in pop songs, a minor key has its dominant in
minor. The tables are log probabilities, smoothed and written by
``python -m model_zoo.training.harmony learn``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from inference_service.errors import ModelRejected
from inference_service.harmony.melodic_prior import MODES
from inference_service.music.events import ChordSegment
from inference_service.music.pitch import pitch_class

QUALITIES: Final = ("major", "minor", "dominant", "diminished", "suspended", "augmented")
SYMBOLS: Final = 12 * len(QUALITIES)
"""Chords in a key: the root's semitones above the tonic times the qualities."""

# By Harte's shorthand; a root alone is a major triad.
_QUALITIES: Final = {
    "": "major", "maj": "major", "maj6": "major", "maj7": "major", "maj9": "major",
    "min": "minor", "min6": "minor", "min7": "minor", "min9": "minor", "minmaj7": "minor",
    "7": "dominant", "9": "dominant",
    "dim": "diminished", "dim7": "diminished", "hdim7": "diminished",
    "sus2": "suspended", "sus4": "suspended",
    "aug": "augmented",
}  # fmt: skip

Table = NDArray[np.float32]


class SoundingChord(NamedTuple):
    """A chord without its details: pitch class of the root, index of the quality, seconds."""

    root: int
    quality: int
    duration_s: float


class KeyScores(NamedTuple):
    """Log probabilities of chords, arrays of shape (S, M, 12): styles, modes, tonics.

    Attributes
    ----------
    changes : np.ndarray
        Of the sequence, divided by the square root of its length: neighbouring chords repeat each
        other's evidence.
    shares : np.ndarray
        Of a chord, averaged over the time; no chord counts as 0.
    """

    changes: NDArray[np.float64]
    shares: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChordPrior:
    """Log probabilities; S styles, M modes (:data:`.melodic_prior.MODES`), C symbols.

    Attributes
    ----------
    first : np.ndarray, shape (S, M, C), float32
        A chord at the beginning.
    following : np.ndarray, shape (S, M, C, C), float32
        A chord, given the one before.
    lasting : np.ndarray, shape (S, M, C), float32
        A chord at any moment.
    """

    first: Table
    following: Table
    lasting: Table

    def score_keys(self, chords: Sequence[SoundingChord], duration_s: float) -> KeyScores:
        """Return the log probabilities of one or more chords in each key.

        ``duration_s`` includes the time without a chord.
        """
        root, quality, lasting_s = (np.array(column) for column in zip(*chords, strict=True))
        degree = (root - np.arange(12)[:, None]) % 12
        symbol = degree * len(QUALITIES) + quality
        changes = self.first[..., symbol[:, 0]].astype(np.float64)
        changes += self.following[..., symbol[:, :-1], symbol[:, 1:]].sum(axis=-1)
        shares = self.lasting[..., symbol] @ (lasting_s / duration_s)
        return KeyScores(changes / np.sqrt(len(chords)), shares)

    def save(self, path: Path, metadata: dict[str, str]) -> None:
        """Write the tables as safetensors."""
        tables: dict[str, Table] = {field.name: getattr(self, field.name) for field in fields(self)}
        save_file(tables, path, metadata)


def read_chords(segments: Sequence[ChordSegment]) -> list[SoundingChord]:
    """Return the chords that sound, without those of unknown quality; equal neighbours are one."""
    chords: list[SoundingChord] = []
    for segment in segments:
        root, _, shorthand = segment.label.partition("/")[0].partition(":")
        quality = _QUALITIES.get(shorthand.partition("(")[0])
        if root in ("N", "X") or quality is None or segment.end_s <= segment.start_s:
            continue
        chord = SoundingChord(
            pitch_class(root), QUALITIES.index(quality), segment.end_s - segment.start_s
        )
        if chords and chords[-1][:2] == chord[:2]:
            chord = chord._replace(duration_s=chords.pop().duration_s + chord.duration_s)
        chords.append(chord)
    return chords


def load_chord_prior(path: Path) -> ChordPrior:
    """Read what :meth:`ChordPrior.save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If it holds anything else.
    """
    try:
        tables = load_file(path)
    except SafetensorError as error:
        raise ModelRejected(f"{path.name} is not a safetensors file", model=path.stem) from error
    styles = len(tables.get("first", ()))
    symbols = (styles, len(MODES), SYMBOLS)
    shapes = {"first": symbols, "following": (*symbols, SYMBOLS), "lasting": symbols}
    if not styles or {name: table.shape for name, table in tables.items()} != shapes:
        raise ModelRejected(f"{path.name} holds no prior of chords", model=path.stem)
    return ChordPrior(**tables)
