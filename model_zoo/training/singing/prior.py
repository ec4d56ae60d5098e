"""Counts the steps of written melodies in their keys.

The melody of a score is the highest note of its first part that has one staff, or of its first
part. The key is that of the last note where it is the tonic of the signature's major or minor key,
otherwise the one of the two whose tonic, fifth and, in minor, raised leading note sound longer.

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
from model_zoo.training.rhythm.dataset import is_dev
from model_zoo.training.sources.scores import WrittenPiece, parse_score, read_archive

ARCHIVES: Final = ("openewld", "openscore_lieder", "open_hymnal")
MIN_NOTES: Final = 12
MAX_NOTES: Final = 300
"""Maximum number of notes used from a piece, so that long pieces do not outweigh the others."""

DEGREE_COUNTS: Final = 20.0
INTERVAL_COUNTS: Final = 10.0
"""Observations that the smoother table counts for. Set by hand; not fitted."""

LONGEST_QUARTERS: Final = 4.0

Floats = NDArray[np.float64]
Melody = tuple[NDArray[np.int64], int, int]
"""Pitches, tonic and the index of the mode."""


def iterate_melodies(symbolic: Path, *, held_out: bool = False) -> Iterator[Melody]:
    """Yield the melodies of the archives in a folder that are learnt from, or those held out."""
    for archive in ARCHIVES:
        for name, text in read_archive(symbolic / f"{archive}.zip"):
            try:
                piece = parse_score(name, text)
            except ValueError:
                continue  # a score without notes
            melody = find_melody(piece) if is_dev(piece) == held_out else None
            if melody is not None:
                yield melody


def find_melody(piece: WrittenPiece) -> Melody | None:
    """Return the melody of a piece in its key; None where it is too short."""
    single = [part for part, staves in enumerate(piece.staves) if staves == 1]
    chosen = ~piece.grace & (piece.part == (single[0] if single else 0))
    onset_q, pitch = piece.onset_q[chosen], piece.pitch[chosen]
    duration_q = np.minimum(piece.duration_q[chosen], LONGEST_QUARTERS)
    order = np.lexsort((-pitch, onset_q))
    _, highest = np.unique(np.round(onset_q[order], 4), return_index=True)
    melody = order[highest][:MAX_NOTES]
    if len(melody) < MIN_NOTES:
        return None
    fifths = int(np.bincount(piece.bar_fifths + 7).argmax()) - 7
    tonic, mode = _find_key(pitch[melody], duration_q[melody], fifths)
    return pitch[melody], tonic, mode


def _find_key(pitch: NDArray[np.int64], duration_q: Floats, fifths: int) -> tuple[int, int]:
    """Return tonic and mode: the signature's major key, or its relative minor."""
    major = fifths * 7 % 12
    minor = (major + 9) % 12
    if pitch[-1] % 12 in (major, minor):
        return (major, 0) if pitch[-1] % 12 == major else (minor, 1)
    sounding = np.bincount(pitch % 12, weights=duration_q, minlength=12)
    as_major = sounding[major] + sounding[(major + 7) % 12] / 2
    as_minor = sounding[minor] + sounding[(minor + 7) % 12] / 2 + sounding[(minor + 11) % 12]
    return (major, 0) if as_major >= as_minor else (minor, 1)


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
