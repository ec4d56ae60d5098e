"""Augmentation of spectrograms, shared by the trainings whose features are log magnitudes.

A feature is ``log(1 + x)`` of a magnitude ``x`` relative to the floor of its spectrogram.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


def colour(
    logs: NDArray[np.floating[Any]], random: Generator, curve_db: float, level_db: float
) -> NDArray[np.float32]:
    """Equalise a spectrogram, change its level, and in 40 % of the cases add a noise floor.

    Parameters
    ----------
    logs : np.ndarray, shape (F, T)
    random : Generator
    curve_db, level_db : float
        Greatest gain of the equaliser and of the level, in either direction.

    Returns
    -------
    np.ndarray, shape (F, T), float32
    """
    bins = len(logs)
    points = np.linspace(0, bins - 1, int(random.integers(3, 8)))
    gain_db = np.interp(np.arange(bins), points, random.uniform(-curve_db, curve_db, len(points)))
    gain_db += random.uniform(-level_db, level_db)
    linear = np.expm1(logs.astype(np.float32)) * (10 ** (gain_db / 20)).astype(np.float32)[:, None]
    if random.random() < 0.4:
        floor = np.exp(random.uniform(np.log(0.3), np.log(12.0))) * np.linspace(
            1.0, random.uniform(0.1, 2.0), bins
        )
        noise = random.rayleigh(0.8, logs.shape) * floor[:, None]
        linear = np.hypot(linear, noise.astype(np.float32))
    coloured: NDArray[np.float32] = np.log1p(linear).astype(np.float32)
    return coloured
