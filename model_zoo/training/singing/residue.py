"""Imitates a separated singer: some of the band is left, some of the voice is missing.

No separator is run: the ideal mask is computed from the two sources and then degraded. What is left
of the band follows the singer's spectrum in time and frequency, as it does in a real stem.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.ndimage import uniform_filter
from scipy.signal import istft, stft

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.fluidsynth import RATE_HZ

WINDOW_S: Final = 0.07
BALANCE_DB: Final = (-8.0, 12.0)
"""The singer's level relative to the band's, in the mix."""

BLEED_DB: Final = (-24.0, -6.0)
"""The band's remaining level relative to the mix, where no mask is used."""

MASKED_SHARE: Final = 0.7
"""Probability that a degraded mask is used; otherwise the band is only made softer."""

BLUR: Final = (1, 9)
"""Range of the number of bins and frames over which a mask is blurred."""

LEAK: Final = (0.0, 0.12)
"""Range of a mask's lowest value."""


def separate_badly(singer: Samples, band: Samples, random: Generator) -> Samples:
    """Mix a singer with a band, and return an imperfect separation of the singer.

    Parameters
    ----------
    singer, band : np.ndarray, shape (N,), float32
    random : Generator

    Returns
    -------
    np.ndarray, shape (N,), float32
        The singer as a separator might return one.
    """
    gain_db = float(random.uniform(*BALANCE_DB))
    band = band * np.float32(_level(singer) / max(_level(band), 1e-6) * 10 ** (-gain_db / 20))
    if random.random() > MASKED_SHARE:
        return np.asarray(singer + band * 10 ** (random.uniform(*BLEED_DB) / 20), np.float32)
    return _mask(singer, band, random)


def _mask(singer: Samples, band: Samples, random: Generator) -> Samples:
    size = round(WINDOW_S * RATE_HZ)
    wanted, unwanted = (stft(x, RATE_HZ, nperseg=size)[2] for x in (singer, band))
    power, other = (np.abs(x) ** random.uniform(1.0, 2.0) for x in (wanted, unwanted))
    mask = power / (power + other + 1e-9)
    width, length = (int(n) for n in random.integers(BLUR[0], BLUR[1], 2, endpoint=True))
    mask = np.clip(uniform_filter(mask, (width, length)), 0.0, 1.0)
    # A network errs over stretches of time, not frame by frame.
    wrong = random.random((2 + mask.shape[0] // 40, 2 + mask.shape[1] // 12))
    rows = np.linspace(0, wrong.shape[0] - 1, mask.shape[0]).astype(int)
    columns = np.linspace(0, wrong.shape[1] - 1, mask.shape[1]).astype(int)
    mask = mask ** (2.0 ** (random.uniform(0, 1.5) * (2 * wrong[rows][:, columns] - 1)))
    mask = np.maximum(mask, random.uniform(*LEAK))
    _, samples = istft(mask * (wanted + unwanted), RATE_HZ, nperseg=size)
    return np.asarray(samples[: len(singer)], np.float32)


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
