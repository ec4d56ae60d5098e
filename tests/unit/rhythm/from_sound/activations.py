"""Activations of a good network, and spectra with bass notes on the downbeats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference_service.rhythm.from_sound.features import FRAMES_PER_S

BINS = 96


def steady(
    bpm: float, bar: int, duration_s: float = 40.0, first: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Beats and their positions in the bar; ``first`` is the 0-based position of the first."""
    beats_s = np.arange(0.1, duration_s - 0.05, 60.0 / bpm)
    return beats_s, (np.arange(len(beats_s)) + first) % bar + 1


def activate(
    beats_s: NDArray[np.float64],
    positions: NDArray[np.int64],
    duration_s: float,
    compound: float = 0.05,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return activations (3, T) and features (F, T)."""
    length = round(duration_s * FRAMES_PER_S)
    activations = np.full((3, length), 0.02)
    activations[1] = 0.01
    activations[2] = compound
    features = np.zeros((BINS, length), np.float32)
    frames = np.rint(beats_s * FRAMES_PER_S).astype(int)
    inside = frames < length
    frames, first = frames[inside], positions[inside] == 1
    activations[0, frames] = 0.8
    activations[1, frames] = np.where(first, 0.78, 0.03)
    features[8:56, frames] = 1.0
    features[:8, frames[first]] = 1.0
    return activations, features
