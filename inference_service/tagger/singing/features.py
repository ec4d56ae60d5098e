"""What the network of sung notes hears: a pitch contour, and a mel spectrogram twice as fast.

Time is counted in SwiftF0's frames, :data:`HOP_S` apart: frame ``t`` is centred on second
``t * HOP_S``, and columns ``2 * t`` and ``2 * t + 1`` of the spectrogram on that and half a hop
later. A recording is first brought to a level at which its loud moments are :data:`LOUD_DB`, so
that quiet and loud copies look alike. Spectra are computed in blocks, whose results equal those of
the whole.

Rows of the contour's features
------------------------------
confidence
    SwiftF0's, 0 to 1.
pitch
    Octaves about middle C, times the confidence.
loudness
    Tens of decibels below the loud moments.
steps
    By how many semitones the pitch of frames :data:`LAGS` away differs, at most
    :data:`WIDEST_STEP`, times the lesser confidence: glides, vibrato and notes to come, whatever
    the register.
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
"""Of the spectrogram, in a frame."""

SPECTROGRAM: Final = SpectrogramConfig(
    "mel", RATE_HZ, HOP_S / COLUMNS, bins=64, f_min_hz=60.0, f_max_hz=7_600.0, window_s=0.032
)
FLOOR: Final = 0.002
"""The scale is linear below this magnitude, some 50 dB under a loud vowel's formants."""

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
"""A window reaches this far."""

Features = NDArray[np.float32]


def pitches(contour: PitchResult) -> NDArray[np.float64]:
    """Return each frame's pitch, a MIDI number in fractions: shape (T,)."""
    heard: NDArray[np.float64] = A4_PITCH + 12 * np.log2(np.maximum(contour.pitch_hz, 1.0) / A4_HZ)
    return heard


def gain_db(contour: PitchResult) -> float:
    """Return what brings a recording's loud moments to :data:`LOUD_DB`."""
    loud = float(np.percentile(contour.loudness_db, LOUD_PERCENTILE))
    return min(LOUD_DB - loud, MAX_GAIN_DB)


def describe_contour(contour: PitchResult) -> Features:
    """Return the contour's features: shape (CONTOUR_ROWS, T), float32."""
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
    """Return logarithms of mel magnitudes.

    Parameters
    ----------
    samples : np.ndarray, shape (N,), float32, at :data:`RATE_HZ`
    gain : float
        In decibels, as :func:`gain_db` has it.
    frames : int
        Of the contour.

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
    """Return the columns of frames ``start`` to ``stop``, as :func:`compute_spectrogram`."""
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
