"""Input features of the beat network: a log mel spectrogram with 50 frames per second.

A recording is first normalised to a root mean square of :data:`LEVEL`. Frame ``t`` is centred on
second ``t * HOP_S``. Spectra are computed in blocks, with the same result as for the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inference_service.audio.resample import resample
from inference_service.audio.spectrogram import (
    LogCompression,
    SpectrogramConfig,
    build_spectrogram,
)
from inference_service.audio.waveform import Samples, Waveform

HOP_S: Final = 0.02
FRAMES_PER_S: Final = 50
SPECTROGRAM: Final = SpectrogramConfig(
    "mel", 22_050, HOP_S, bins=96, f_min_hz=30.0, f_max_hz=10_000.0, window_s=1024 / 22_050
)
FLOOR: Final = 0.003
"""Magnitude below which the scale is linear. The median magnitude of a recording is below ten times
this."""

LEVEL: Final = 0.1
SILENCE: Final = 1e-4
BLOCK_FRAMES: Final = 1500
MARGIN_FRAMES: Final = 2
"""Reach of a window in frames. SPECTROGRAM pads the ends with zeros."""

Features = NDArray[np.float32]


def iterate_features(waveform: Waveform) -> Iterator[Features]:
    """Yield consecutive blocks of features, shape (F, T), float32, with T <= BLOCK_FRAMES."""
    samples = prepare_samples(waveform)
    hop = SPECTROGRAM.hop_samples
    frame_count = SPECTROGRAM.count_frames(len(samples))
    module = spectra()
    for start in range(0, frame_count, BLOCK_FRAMES):
        stop = min(start + BLOCK_FRAMES, frame_count)
        first = max(start - MARGIN_FRAMES, 0)
        piece = samples[first * hop : (stop - 1 + MARGIN_FRAMES) * hop + 1]
        short = (stop - 1 - first) * hop + 1 - len(piece)
        if short > 0:
            piece = np.pad(piece, (0, short))
        with torch.inference_mode():
            block = module(torch.from_numpy(piece)[None])[0].numpy()
        yield block[:, start - first : stop - first]


def compute_features(waveform: Waveform) -> Features:
    """Return the features of a recording, shape (F, T), float32."""
    return np.concatenate(list(iterate_features(waveform)), axis=1)


def count_feature_frames(waveform: Waveform) -> int:
    """Return the number of frames of a recording."""
    return SPECTROGRAM.count_frames(round(waveform.duration_s * SPECTROGRAM.sample_rate_hz))


def prepare_samples(waveform: Waveform) -> Samples:
    """Return the mono mix at the network's sample rate and level, shape (N,), float32."""
    mono = resample(waveform.mono(), waveform.sample_rate_hz, SPECTROGRAM.sample_rate_hz)
    power = float(np.mean(np.square(mono, dtype=np.float64))) if len(mono) else 0.0
    level = np.sqrt(power)
    prepared: Samples = mono * np.float32(LEVEL / level) if level > SILENCE else mono
    return prepared


@cache
def spectra() -> nn.Module:
    """Return the module from prepared samples ``(B, N)`` to features ``(B, F, T)``."""
    return nn.Sequential(build_spectrogram(SPECTROGRAM), LogCompression(FLOOR)).eval()
