"""What may be taken from a noisy recording before its notes are heard.

A band-pass alone: hum and rumble below all voices, hiss above most partials. It costs next to
nothing where there is no noise, and finds many more notes where noise is as loud as the music.
Spectral gating, which cuts decays and soft notes away with the noise, loses more than it wins at
every ratio; ``model_zoo/experiments/007-noise.md`` has the figures.

The filter is Butterworth's, of fourth order, run forwards and backwards so that no onset moves.
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
"""After this long the filter has forgotten what came before, to far below a sample's rounding."""


class Unchanged:
    """Satisfies ``pipeline.stages.Denoiser``, and leaves recordings as they are."""

    def clean(self, waveform: Waveform) -> Waveform:
        """Return the recording itself."""
        return waveform


def build_unchanged(entry: ModelFiles, settings: ModelSettings) -> Unchanged:
    """Build the stage that changes nothing, as the manifest declares it."""
    return Unchanged()


class BandPass:
    """Satisfies ``pipeline.stages.Denoiser``: lets pass what lies within :data:`BAND_HZ`."""

    def clean(self, waveform: Waveform) -> Waveform:
        """Return the recording without what is below and above the band, of the same shape.

        It is filtered a minute at a time, so that memory beside it is bounded.
        """
        from scipy.signal import butter, sosfiltfilt  # half a second that few recordings need

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
