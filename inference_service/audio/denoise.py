"""Noise reduction before transcription: a band-pass filter.

It removes hum and rumble below all voices and hiss above most partials. In clean recordings it
costs almost no notes; where noise is as loud as the music, many more notes are found. Spectral
gating also removes decays and soft notes, and did worse at every signal-to-noise ratio;
``model_zoo/experiments/007-noise.md`` has the figures.

The filter is a fourth-order Butterworth, run forwards and backwards so that onsets do not move.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from inference_service.audio.waveform import Waveform
from inference_service.model_files import ModelFiles
from inference_service.settings import ModelSettings

BAND_HZ: Final = (60.0, 5000.0)
ORDER: Final = 4
BLOCK_S: Final = 60.0
SETTLING_S: Final = 1.0
"""Overlap of blocks, after which the filter's transient is far below the precision of float32."""


class Unchanged:
    """A ``pipeline.stages.Denoiser`` that returns recordings unchanged."""

    def clean(self, waveform: Waveform) -> Waveform:
        """Return the recording itself."""
        return waveform


def build_unchanged(entry: ModelFiles, settings: ModelSettings) -> Unchanged:
    """Build the stage that changes nothing, as the manifest declares it."""
    return Unchanged()


class BandPass:
    """A ``pipeline.stages.Denoiser`` that keeps the frequencies within :data:`BAND_HZ`."""

    def clean(self, waveform: Waveform) -> Waveform:
        """Return the filtered recording, of the same shape.

        It is filtered a minute at a time, which bounds the additional memory.
        """
        from scipy.signal import (
            butter,
            sosfiltfilt,
        )  # takes half a second, and few recordings need it

        rate_hz, samples = waveform.sample_rate_hz, waveform.samples
        high_hz = min(BAND_HZ[1], 0.45 * rate_hz)
        sections = butter(ORDER, (BAND_HZ[0], high_hz), "bandpass", fs=rate_hz, output="sos")
        filtered = np.empty_like(samples)
        block, settling = round(BLOCK_S * rate_hz), round(SETTLING_S * rate_hz)
        length = samples.shape[-1]
        for start in range(0, length, block):
            first, last = max(start - settling, 0), min(start + block + settling, length)
            piece = samples[:, first:last]
            padding = min(settling, piece.shape[-1] - 1)
            heard = sosfiltfilt(sections, piece, padlen=padding)
            stop = min(start + block, length)
            filtered[:, start:stop] = heard[:, start - first : stop - first]
        return Waveform(filtered, rate_hz)


def build_band_pass(entry: ModelFiles, settings: ModelSettings) -> BandPass:
    """Build the filter, as the manifest declares it."""
    return BandPass()
