"""Estimation of a recording's tuning relative to A440.

The deviations of spectral peaks (by parabolic interpolation of the log spectrum) from the nearest
equal-tempered semitone are averaged on a circle of 100 cents, weighted by magnitude. Unlike the
mode of a histogram, the circular mean has no bins, and its length measures how well the peaks
agree; if they do not agree, the tuning is taken to be 0.

Only excerpts are analysed, so that a long recording costs no more than half a minute of audio.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform

RATE_HZ: Final = 11025
FFT_SAMPLES: Final = 4096
HOP_SAMPLES: Final = 2048
F_MIN_HZ: Final = 100.0
F_MAX_HZ: Final = 2000.0
MIN_LEVEL: Final = 0.05
"""Peaks below this fraction of their frame's highest are taken for noise. No record of how this and
MIN_CLARITY were chosen."""

EXCERPTS: Final = 4
EXCERPT_S: Final = 8.0
MIN_CLARITY: Final = 0.1
"""Minimum length of the circular mean: 0 for evenly spread deviations, 1 for equal ones."""


def estimate_tuning(waveform: Waveform) -> float:
    """Return the tuning in cents relative to A440, in [-50, 50); 0 if it is unclear."""
    excerpts = [resample(e, waveform.sample_rate_hz, RATE_HZ) for e in _excerpts(waveform)]
    cents, weights = zip(*(_deviations(excerpt) for excerpt in excerpts), strict=True)
    phases = np.exp(2j * np.pi * np.concatenate(cents) / 100.0)
    all_weights = np.concatenate(weights)
    total = float(all_weights.sum())
    if total == 0.0:
        return 0.0
    mean = complex(np.sum(phases * all_weights) / total)
    if abs(mean) < MIN_CLARITY:
        return 0.0
    tuning_cents = float(np.angle(mean)) * 100.0 / (2 * np.pi)
    return -50.0 if tuning_cents >= 50.0 else tuning_cents


def _excerpts(waveform: Waveform) -> list[Samples]:
    """Return evenly spaced excerpts, or the whole of a short recording."""
    mono = waveform.mono()
    excerpt_samples = round(EXCERPT_S * waveform.sample_rate_hz)
    if len(mono) <= EXCERPTS * excerpt_samples:
        return [mono]
    starts = np.linspace(0, len(mono) - excerpt_samples, EXCERPTS).astype(int)
    return [mono[start : start + excerpt_samples] for start in starts]


def _deviations(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return deviations of peaks from the semitone grid in cents, and their magnitudes."""
    f_hz, magnitudes = _find_peaks(_spectrogram(samples))
    pitches = 69.0 + 12.0 * np.log2(f_hz / 440.0)
    return 100.0 * (pitches - np.round(pitches)), magnitudes


def _spectrogram(samples: Samples) -> NDArray[np.float64]:
    """Return magnitudes of Hann-windowed frames, shape (T, F), up to ``F_MAX_HZ``."""
    samples = np.pad(samples, (0, max(0, FFT_SAMPLES - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FFT_SAMPLES)[::HOP_SAMPLES]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(FFT_SAMPLES), axis=1))
    return spectrum[:, : round(F_MAX_HZ * FFT_SAMPLES / RATE_HZ) + 1]


def _find_peaks(
    spectrum: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies in hertz and magnitudes of each frame's local maxima."""
    before, peak, after = spectrum[:, :-2], spectrum[:, 1:-1], spectrum[:, 2:]
    loudest = spectrum.max(axis=1, keepdims=True)
    is_peak = (peak > before) & (peak >= after) & (peak > MIN_LEVEL * loudest)
    is_peak[:, : round(F_MIN_HZ * FFT_SAMPLES / RATE_HZ)] = False
    floor = np.finfo(np.float64).tiny
    left, centre, right = (np.log(part[is_peak] + floor) for part in (before, peak, after))
    shift = 0.5 * (left - right) / (left - 2.0 * centre + right)
    bins = np.nonzero(is_peak)[1] + 1 + shift
    return bins * RATE_HZ / FFT_SAMPLES, peak[is_peak]
