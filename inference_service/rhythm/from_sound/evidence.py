"""What is heard that tells where bars begin, and how long they are.

A row of the evidence describes one beat: the network's downbeat activation, a change of chord,
onsets in the bass, in the middle and in the treble (kick, snare and cymbals, in songs), and a
change of sound, in that order. Onsets and changes of sound are relative to the other beats of the
same sequence. Bars repeat: beats a bar apart sound alike, which tells three beats from four.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment
from inference_service.rhythm.from_sound.downbeats import count_chord_changes
from inference_service.rhythm.from_sound.features import FRAMES_PER_S, Features

KINDS: Final = ("downbeat", "chord", "bass", "middle", "treble", "novelty")
BANDS: Final = ((0, 8), (8, 56), (56, 96))
"""Bins of the spectrogram: up to about 250 Hz, to 3 kHz, above."""

ONSET_FRAMES: Final = 2
"""Frames between the spectra whose difference is an onset; also the reach around a beat."""

PARTS: Final = 4
"""Parts of a beat in which onsets are compared."""

SPECTRUM_BANDS: Final = 12
MAX_LOG_ODDS: Final = 5.0
MAX_DEVIATIONS: Final = 3.0

Evidence = NDArray[np.float64]


def describe_beats(
    frames: NDArray[np.int64],
    downbeat: NDArray[np.float64],
    features: Features,
    chords: Sequence[ChordSegment],
) -> Evidence:
    """Return the evidence of each beat, shape (B, len(KINDS)).

    Parameters
    ----------
    frames : np.ndarray of int, shape (B,), B >= 2
    downbeat : np.ndarray, shape (T,), float in [0, 1]
    features : np.ndarray, shape (F, T)
    chords : sequence of ChordSegment
        May be empty.
    """
    likely = np.clip(_peaks(downbeat, frames, 1), 1e-6, 1 - 1e-6)
    odds = np.clip(np.log(likely / (1 - likely)), -MAX_LOG_ODDS, MAX_LOG_ODDS)
    changes = count_chord_changes(frames / FRAMES_PER_S, chords)
    onsets = [_standardise(_peaks(onset, frames, ONSET_FRAMES)) for onset in find_onsets(features)]
    novelty = _standardise(measure_novelty(frames, features))
    return np.column_stack([odds, changes, *onsets, novelty])


def find_onsets(features: Features) -> NDArray[np.float64]:
    """Return the rise of each band at each frame, shape (len(BANDS), T)."""
    rise = np.zeros(features.shape, np.float32)
    rise[:, ONSET_FRAMES:] = np.maximum(
        features[:, ONSET_FRAMES:] - features[:, :-ONSET_FRAMES], 0.0
    )
    return np.stack([rise[low:high].mean(0) for low, high in BANDS]).astype(np.float64)


def measure_novelty(frames: NDArray[np.int64], features: Features) -> NDArray[np.float64]:
    """Return the distance between the mean spectra before and after each beat, shape (B,)."""
    edges = np.concatenate([[0], frames, [features.shape[1]]])
    means = _average(features, edges)
    distances: NDArray[np.float64] = np.abs(np.diff(means, axis=1)).mean(0)
    return distances


def measure_repetition(
    frames: NDArray[np.int64], features: Features, lengths: Sequence[int]
) -> NDArray[np.float64]:
    """Return how alike beats are that are one or two bars apart, for each length of the bar.

    The mean correlation between the onsets in the parts of a beat, and between mean spectra, less
    that of the beats that are two to eight apart; 0 for a recording that is too short.
    """
    beats = _describe_intervals(frames, features)
    lags = np.arange(2, 2 * max(lengths) + 1)
    if len(beats) <= 2 * lags[-1]:
        return np.zeros(len(lengths))
    alike = {int(lag): float((beats[:-lag] * beats[lag:]).mean()) for lag in lags}
    usual = float(np.mean(list(alike.values())))
    return np.array([(alike[length] + alike[2 * length]) / 2 - usual for length in lengths])


def _describe_intervals(frames: NDArray[np.int64], features: Features) -> NDArray[np.float64]:
    """Return onsets and spectrum of each interval between beats, standardised, shape (B - 1, N)."""
    edges = np.linspace(frames[:-1], frames[1:], PARTS, endpoint=False).astype(np.int64)
    onsets = [
        _peaks(onset, edges.ravel(), 1).reshape(edges.shape) for onset in find_onsets(features)
    ]
    bands = features.reshape(SPECTRUM_BANDS, -1, features.shape[1]).mean(axis=1)
    spectra = _average(bands, frames)
    rows = np.concatenate([*onsets, spectra])
    scaled = (rows - rows.mean(1, keepdims=True)) / (rows.std(1, keepdims=True) + 1e-6)
    described: NDArray[np.float64] = np.clip(scaled, -MAX_DEVIATIONS, MAX_DEVIATIONS).T
    return described


def _average(features: NDArray[np.floating], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean of each row between consecutive edges."""
    start = np.zeros((len(features), 1))
    sums = np.concatenate([start, np.cumsum(features, axis=1, dtype=np.float64)], axis=1)
    means: NDArray[np.float64] = sums[:, edges[1:]] - sums[:, edges[:-1]]
    return means / np.maximum(np.diff(edges), 1)


def _peaks(
    course: NDArray[np.float64], frames: NDArray[np.int64], reach: int
) -> NDArray[np.float64]:
    near = np.clip(frames[:, None] + np.arange(-reach, reach + 1), 0, len(course) - 1)
    peaks: NDArray[np.float64] = course[near].max(axis=1)
    return peaks


def _standardise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = float(values.std())
    if deviation < 1e-9:
        return np.zeros(len(values))
    scaled: NDArray[np.float64] = (values - values.mean()) / deviation
    return np.clip(scaled, -MAX_DEVIATIONS, MAX_DEVIATIONS)
