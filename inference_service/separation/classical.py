"""Separation of vocals and accompaniment by median filters and repetition, without learning.

Three soft masks, applied one after another, extract the vocals:

1. In a spectrogram with long windows, singing varies over time, unlike the steady partials of
   instruments: its magnitudes are closer to a median over frequency than to one over time.
2. In a spectrogram with short windows, singing is sustained, unlike drums.
3. Accompaniment is repeated: the median of the frames most similar to each frame is taken for
   accompaniment, and what exceeds it for vocals.

The accompaniment is the mixture minus the vocals.

Sources: 1 and 2, FitzGerald and Gainza, "Single channel vocal separation using median filtering
and factorisation techniques" (2010); 3, REPET-SIM: Rafii and Pardo, "Music/voice separation using
the similarity matrix" (ISMIR 2012), with ``librosa.decompose.nn_filter``.

Deviations: the masks are soft and biased towards the vocals (``LEAN``), since each of them removes
too much; REPET-SIM searches for similar frames within ``WINDOW_S``, which bounds memory.

Median signal-to-distortion ratios of vocals and accompaniment in dB on excerpts of 7 s of MUSDB18:
on the 24 excerpts on which the windows and ``LEAN`` were chosen, half the mixture has 0.9 and 4.4,
harmonic-percussive separation -0.8 and 2.2, steps 1 and 2 alone 2.8 and 5.8, step 3 alone 2.7 and
6.3, all steps 4.1 and 7.7. On two further sets, all steps have 2.9 and 7.3 (24 excerpts), and 4.0
and 7.6 (23 excerpts). Real-time factor 0.15 on one core; 0.3 GB of memory in addition to the stems.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Final

import librosa
import numpy as np
from librosa.decompose import nn_filter
from librosa.util import softmask
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from inference_service.audio.chunking import Window, crossfade, iterate_windows
from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.model_files import ModelFiles
from inference_service.progress import Report
from inference_service.settings import ModelSettings

Magnitudes = NDArray[np.float32]

RATE_HZ: Final = 22050
"""Working sample rate; all above half of it goes to the accompaniment."""

WINDOW_S: Final = 30.0
OVERLAP_S: Final = 2.0

LONG_FFT_SAMPLES: Final = 8192
SHORT_FFT_SAMPLES: Final = 512
FFT_SAMPLES: Final = 2048
HOPS_PER_FFT: Final = 4

MEDIAN_FRAMES: Final = 17
"""Length of the median filters: frames over time, bins over frequency."""

MIN_REPETITION_S: Final = 0.5
"""Minimum time between similar frames: closer ones belong to the same sound."""

NEIGHBOURS: Final = 32
"""Number of similar frames of which the median is taken."""

FRAMES_PER_REPORT: Final = 256
MIN_VOCALS_HZ: Final = 120.0
LEAN: Final = 0.5
"""Factor for the magnitudes that compete with the vocals; chosen as the docstring says."""


class RepetSimSeparator:
    """A ``pipeline.stages.Separator`` with the stems "vocals" and "accompaniment".

    Deterministic and stateless: an instance may be used by several threads.
    """

    version: Final = "1"
    stems: Final = ("vocals", "accompaniment")

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return the two stems, each with the mixture's length, rate and channel count.

        Raises
        ------
        Cancelled
            From ``report``.
        """
        rate_hz, length = mixture.sample_rate_hz, mixture.samples.shape[-1]
        samples = resample(mixture.samples, rate_hz, RATE_HZ)
        pieces = _separate_windows(samples, report)
        estimate = resample(crossfade(pieces, samples.shape[-1]), RATE_HZ, rate_hz)
        vocals = np.zeros_like(mixture.samples)
        vocals[:, : estimate.shape[-1]] = estimate[:, :length]
        report(1.0)
        return {
            "vocals": Waveform(vocals, rate_hz),
            "accompaniment": Waveform(mixture.samples - vocals, rate_hz),
        }


def build(entry: ModelFiles, settings: ModelSettings) -> RepetSimSeparator:
    """Build the separator, as the manifest declares it."""
    return RepetSimSeparator()


def _separate_windows(samples: Samples, report: Report) -> Iterator[tuple[Window, Samples]]:
    """Yield the vocals of each window; ``samples`` of shape (C, N) at ``RATE_HZ``."""
    size, overlap = round(WINDOW_S * RATE_HZ), round(OVERLAP_S * RATE_HZ)
    windows = list(iterate_windows(samples.shape[-1], size, overlap))
    for number, window in enumerate(windows):

        def report_window(fraction: float, number: int = number) -> None:
            report((number + fraction) / len(windows))

        yield window, _extract_vocals(samples[:, window.start : window.stop], report_window)


def _extract_vocals(mixture: Samples, report: Report) -> Samples:
    """Return the vocals of a mixture, both of shape (C, N)."""
    report(0.0)
    if not mixture.any():
        return np.zeros_like(mixture)
    length = mixture.shape[-1]
    mixture = np.pad(mixture, ((0, 0), (0, max(0, LONG_FFT_SAMPLES - length))))

    def mask_changing(magnitudes: Magnitudes) -> Magnitudes:
        steady = _median_over_time(magnitudes)
        report(0.1)
        return _soft_mask(_median_over_frequency(magnitudes), LEAN * steady)

    def mask_lasting(magnitudes: Magnitudes) -> Magnitudes:
        lasting = _median_over_time(magnitudes)
        report(0.4)
        return _soft_mask(lasting, _median_over_frequency(magnitudes))

    changing = _apply_mask(mixture, LONG_FFT_SAMPLES, mask_changing)
    report(0.3)
    lasting = _apply_mask(changing, SHORT_FFT_SAMPLES, mask_lasting)
    report(0.5)
    # Repetition is looked for in the mixture, since the first two masks distort it.
    mask = _mask_unrepeated(
        _magnitudes(_transform(mixture, FFT_SAMPLES)),
        lambda fraction: report(0.5 + 0.5 * fraction),
    )
    return _apply_mask(lasting, FFT_SAMPLES, lambda _: mask)[:, :length]


def _transform(samples: Samples, fft_samples: int) -> NDArray[np.complex64]:
    """Return spectra of shape (C, F, T)."""
    spectra: NDArray[np.complex64] = librosa.stft(
        samples, n_fft=fft_samples, hop_length=fft_samples // HOPS_PER_FFT
    )
    return spectra


def _magnitudes(spectra: NDArray[np.complex64]) -> Magnitudes:
    """Return the mean over channels, shape (F, T): a common mask keeps the stereo image."""
    magnitudes: Magnitudes = np.abs(spectra).mean(axis=0)
    return magnitudes


def _apply_mask(
    samples: Samples, fft_samples: int, build_mask: Callable[[Magnitudes], Magnitudes]
) -> Samples:
    spectra = _transform(samples, fft_samples)
    spectra *= build_mask(_magnitudes(spectra))
    masked: Samples = librosa.istft(
        spectra,
        n_fft=fft_samples,
        hop_length=fft_samples // HOPS_PER_FFT,
        length=samples.shape[-1],
    )
    return masked


def _median_over_time(magnitudes: Magnitudes) -> Magnitudes:
    medians: Magnitudes = median_filter(magnitudes, size=(1, MEDIAN_FRAMES))
    return medians


def _median_over_frequency(magnitudes: Magnitudes) -> Magnitudes:
    medians: Magnitudes = median_filter(magnitudes, size=(MEDIAN_FRAMES, 1))
    return medians


def _mask_unrepeated(magnitudes: Magnitudes, report: Report) -> Magnitudes:
    """Return a mask, shape (F, T), of what exceeds the median of similar frames."""
    mask = np.ones_like(magnitudes)
    frames = magnitudes.shape[-1]
    min_repetition_frames = round(MIN_REPETITION_S * RATE_HZ * HOPS_PER_FFT / FFT_SAMPLES)
    width = min(min_repetition_frames, (frames - 1) // 2 - 1)  # librosa takes no more
    if width >= 1:
        frame = itertools.count(1)

        def median(neighbours: Magnitudes, axis: int) -> Magnitudes:
            number = next(frame)
            if number % FRAMES_PER_REPORT == 0:
                report(number / frames)
            medians: Magnitudes = np.median(neighbours, axis=axis)
            return medians

        similar = nn_filter(
            magnitudes,
            aggregate=median,
            metric="cosine",
            width=width,
            k=min(NEIGHBOURS, frames - 2 * width),
        )
        repeated = np.minimum(similar, magnitudes)
        mask = _soft_mask(magnitudes - repeated, LEAN * repeated)
    mask[: round(MIN_VOCALS_HZ * FFT_SAMPLES / RATE_HZ)] = 0.0
    return mask


def _soft_mask(wanted: Magnitudes, rival: Magnitudes) -> Magnitudes:
    mask: Magnitudes = softmask(wanted, rival, power=2)
    return mask
