"""Input features of the singing network: a pitch contour, and a mel spectrogram at twice its rate.

Frames are those of SwiftF0, :data:`HOP_S` apart. Frame ``t`` is centred on second ``t * HOP_S``;
columns ``2 * t`` and ``2 * t + 1`` of the spectrogram are centred on that and half a hop later. A
recording is first normalised such that its loud moments are at :data:`LOUD_DB`. Spectra are
computed in blocks, with the same result as for the whole.

Rows of the contour's features
------------------------------
confidence
    Confidence of SwiftF0, 0 to 1.
pitch
    Octaves from middle C, times the confidence.
loudness
    Level relative to the loud moments, in tens of decibels.
steps
    Semitones to the pitch of the frames :data:`LAGS` away, clipped to :data:`WIDEST_STEP`, times
    the lesser confidence. They show glides, vibrato and coming notes in any register.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from swift_f0 import PitchResult
from torch import nn

from inference_service.audio.spectrogram import (
    LogCompression,
    SpectrogramConfig,
    build_spectrogram,
)
from inference_service.audio.waveform import Samples
from inference_service.music.pitch import A4_HZ, A4_PITCH

RATE_HZ: Final = 16_000
HOP_SAMPLES: Final = 256
HOP_S: Final = HOP_SAMPLES / RATE_HZ
COLUMNS: Final = 2
"""Number of columns of the spectrogram per frame."""

SPECTROGRAM: Final = SpectrogramConfig(
    "mel", RATE_HZ, HOP_S / COLUMNS, bins=64, f_min_hz=60.0, f_max_hz=7_600.0, window_s=0.032
)
FLOOR: Final = 0.002
"""Magnitude below which the scale is linear, some 50 dB below the formants of a loud vowel."""

LOUD_DB: Final = -15.0
LOUD_PERCENTILE: Final = 95.0
MAX_GAIN_DB: Final = 50.0

LAGS: Final = (-16, -8, -4, -2, -1, 1, 2, 4, 8, 16)
WIDEST_STEP: Final = 3.0
CONTOUR_ROWS: Final = 3 + len(LAGS)
MIDDLE_C: Final = 60.0
LOWEST_DB: Final = -60.0

BLOCK_FRAMES: Final = 2000
_MARGIN_COLUMNS: Final = 2
"""Reach of a window in columns."""

Features = NDArray[np.float32]


def pitches(contour: PitchResult) -> NDArray[np.float64]:
    """Return the pitch of each frame as a fractional MIDI number, shape (T,)."""
    found: NDArray[np.float64] = A4_PITCH + 12 * np.log2(np.maximum(contour.pitch_hz, 1.0) / A4_HZ)
    return found


def gain_db(contour: PitchResult) -> float:
    """Return the gain in decibels that brings the loud moments to :data:`LOUD_DB`."""
    loud = float(np.percentile(contour.loudness_db, LOUD_PERCENTILE))
    return min(LOUD_DB - loud, MAX_GAIN_DB)


def describe_contour(contour: PitchResult) -> Features:
    """Return the features of the contour, shape (CONTOUR_ROWS, T), float32."""
    confidence, pitch = contour.confidence, pitches(contour)
    level_db = np.maximum(contour.loudness_db + gain_db(contour) - LOUD_DB, LOWEST_DB)
    frames = np.arange(len(pitch))
    rows = [confidence, confidence * (pitch - MIDDLE_C) / 12, level_db / 10]
    for lag in LAGS:
        other = np.clip(frames + lag, 0, len(pitch) - 1)
        step = np.clip(pitch[other] - pitch, -WIDEST_STEP, WIDEST_STEP)
        rows.append(step * np.minimum(confidence[other], confidence))
    return np.array(rows, np.float32)


def compute_spectrogram(samples: Samples, gain: float, frames: int) -> Features:
    """Return the log mel spectrogram.

    Parameters
    ----------
    samples : np.ndarray, shape (N,), float32, at :data:`RATE_HZ`
    gain : float
        Gain in decibels, from :func:`gain_db`.
    frames : int
        Number of frames of the contour.

    Returns
    -------
    np.ndarray, shape (F, COLUMNS * frames), float32
    """
    blocks = [
        compute_columns(samples, gain, start, min(start + BLOCK_FRAMES, frames))
        for start in range(0, frames, BLOCK_FRAMES)
    ]
    return np.concatenate(blocks, axis=1)


def compute_columns(samples: Samples, gain: float, start: int, stop: int) -> Features:
    """Return the columns of frames ``start`` to ``stop`` of :func:`compute_spectrogram`."""
    hop = SPECTROGRAM.hop_samples
    first = COLUMNS * start - _MARGIN_COLUMNS
    last = COLUMNS * stop - 1 + _MARGIN_COLUMNS
    piece = samples[max(first, 0) * hop : last * hop + 1]
    missing = last * hop + 1 - max(first, 0) * hop - len(piece)
    piece = np.pad(piece, (max(-first, 0) * hop, missing))
    scaled = torch.from_numpy(piece * np.float32(10 ** (gain / 20)))
    with torch.inference_mode():
        columns: Features = _spectra()(scaled[None])[0].numpy()
    return columns[:, _MARGIN_COLUMNS : columns.shape[1] - _MARGIN_COLUMNS]


@cache
def _spectra() -> nn.Module:
    return nn.Sequential(build_spectrogram(SPECTROGRAM), LogCompression(FLOOR)).eval()
