"""A continuous wavelet transform, shaped like the spectrograms of the service.

Complex Morlet wavelets at the frequencies of a constant-Q spectrogram, as ``np.abs(pywt.cwt(...))``
sampled at the frames. Computed by ptwt over pieces of the signal, some scales at a time, so that
memory is bounded.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import ptwt
import pywt
import torch
from torch import Tensor, nn

from inference_service.audio.spectrogram import SpectrogramConfig

BANDWIDTH: Final = 8.0
"""Variance parameter of the Morlet wavelet, in periods squared: about 4 periods a wave packet."""

HALF_SUPPORT: Final = 8.0
"""Periods on each side, PyWavelets' own bound; the envelope has fallen to exp(-8) there."""

FFT_SAMPLES: Final = 2**17
SCALES_AT_ONCE: Final = 12


class WaveletTransform(nn.Module):
    """Magnitudes at the frames: ``(B, N)`` to ``(B, F, T)``, float32 even under autocast.

    Parameters
    ----------
    config : SpectrogramConfig
        A constant-Q spectrogram; the wavelets have the centre frequencies of its bins.
    """

    def __init__(self, config: SpectrogramConfig) -> None:
        super().__init__()
        self.config = config
        self.wavelet = pywt.ContinuousWavelet(f"cmor{BANDWIDTH}-1.0")
        octaves = np.arange(config.bins) / config.bins_per_octave
        self.scales = config.sample_rate_hz / (config.f_min_hz * 2.0**octaves)

    def forward(self, samples: Tensor) -> Tensor:
        """Return the magnitudes of a batch of signals, which are zero outside their ends."""
        hop = self.config.hop_samples
        frames = self.config.count_frames(samples.shape[-1])
        margin = math.ceil(HALF_SUPPORT * self.scales[0]) + 1
        # ptwt pads a piece and a wavelet to a power of two: fill it.
        chunk_frames = max(1, (FFT_SAMPLES - 4 * margin) // hop)
        with torch.autocast(samples.device.type, enabled=False):
            # Zeros up to the last chunk's end, and as far as the longest wavelet reaches.
            end = (frames - 1) * hop + 1 + margin
            padded = nn.functional.pad(samples.float(), (margin, end - samples.shape[-1]))
            chunks = [
                self._transform(
                    padded[
                        :,
                        first * hop : (min(first + chunk_frames, frames) - 1) * hop
                        + 1
                        + 2 * margin,
                    ],
                    margin,
                )
                for first in range(0, frames, chunk_frames)
            ]
        return torch.cat(chunks, dim=-1)

    def _transform(self, samples: Tensor, margin: int) -> Tensor:
        """Magnitudes at every hop from ``margin`` to ``margin`` before the end."""
        groups = []
        for first in range(0, len(self.scales), SCALES_AT_ONCE):
            scales = self.scales[first : first + SCALES_AT_ONCE]
            coefficients, _ = ptwt.cwt(samples, scales, self.wavelet)
            frames = coefficients[..., margin : -margin : self.config.hop_samples]
            groups.append(frames.abs().float())
        return torch.cat(groups).transpose(0, 1)
