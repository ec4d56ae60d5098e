"""Counts the steps of written melodies (:mod:`..sources.melodies`) in their keys.

Interpolation: the intervals after one interval are smoothed towards those from the same degree, and
these towards what the interval and the degree that it reaches promise on their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.harmony.melodic_prior import (
    DEGREES,
    INTERVALS,
    MODES,
    WIDEST,
    MelodicPrior,
)
from model_zoo.training.rhythm.corpora import is_dev
from model_zoo.training.sources.melodies import find_key, find_melody, iterate_scores
from model_zoo.training.sources.scores import WrittenPiece

MAX_NOTES: Final = 300
"""Maximum number of notes used from a piece, so that long pieces do not outweigh the others."""

DEGREE_COUNTS: Final = 20.0
INTERVAL_COUNTS: Final = 10.0
"""Observations that the smoother table counts for. Set by hand; not fitted."""

Floats = NDArray[np.float64]
Melody = tuple[NDArray[np.int64], int, int]
"""Pitches, tonic and the index of the mode."""


def iterate_melodies(symbolic: Path, *, held_out: bool = False) -> Iterator[Melody]:
    """Yield the melodies of the archives in a folder that are learnt from, or those held out."""
    for piece in iterate_scores(symbolic):
        melody = find_steps(piece) if is_dev(piece) == held_out else None
        if melody is not None:
            yield melody


def find_steps(piece: WrittenPiece) -> Melody | None:
    """Return the beginning of a piece's melody in its key; None where it is too short."""
    melody = find_melody(piece)
    if melody is None:
        return None
    beginning = melody.take(MAX_NOTES)
    return beginning.pitch, *find_key(beginning)


def learn_prior(melodies: Iterable[Melody]) -> MelodicPrior:
    """Return the smoothed log probabilities of the melodies' steps."""
    modes = len(MODES)
    first, last = np.full((2, modes, DEGREES), 0.5)
    degrees = np.full((modes, DEGREES), 0.5)
    intervals = np.ones(INTERVALS)
    second = np.zeros((modes, DEGREES, INTERVALS))
    following = np.zeros((modes, INTERVALS, DEGREES, INTERVALS))
    for pitch, tonic, mode in melodies:
        degree = (pitch - tonic) % 12
        step = np.clip(np.diff(pitch), -WIDEST, WIDEST) + WIDEST
        first[mode, degree[0]] += 1
        last[mode, degree[-1]] += 1
        np.add.at(degrees[mode], degree, 1)
        np.add.at(intervals, step, 1)
        np.add.at(second[mode], (degree[:-1], step), 1)
        np.add.at(following[mode], (step[:-1], degree[1:-1], step[1:]), 1)
    reached = (np.arange(DEGREES)[:, None] + np.arange(-WIDEST, WIDEST + 1)) % 12
    promised = _normalise(intervals * _normalise(degrees)[:, reached])
    smooth = _smooth(second, promised, DEGREE_COUNTS)
    return MelodicPrior(
        first=np.log(_normalise(first)).astype(np.float32),
        second=np.log(smooth).astype(np.float32),
        following=np.log(_smooth(following, smooth[:, None], INTERVAL_COUNTS)).astype(np.float32),
        last=np.log(_normalise(last)).astype(np.float32),
    )


def _smooth(counts: Floats, expected: Floats, strength: float) -> Floats:
    """Return probabilities, ``expected`` counting as ``strength`` observations."""
    total = counts.sum(axis=-1, keepdims=True) + strength
    return np.asarray((counts + strength * expected) / total, np.float64)


def _normalise(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True), np.float64)
