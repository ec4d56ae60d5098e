"""Vocals and accompaniment without a trained network: median filters and repetition.

Three soft masks, one after another, leave the vocals:

1. With a long window singing is what changes, against the instruments' steady partials: its
   magnitude is better explained by a median over frequency than by one over time.
2. With a short window singing is what lasts, against the drums.
3. What the accompaniment plays comes again: the median over each frame's most similar frames
   elsewhere is taken for accompaniment, and only what is louder for vocals.

The accompaniment is the mixture less the vocals, so that the two sum to the mixture.

Sources: 1 and 2, FitzGerald and Gainza, "Single channel vocal separation using median filtering
and factorisation techniques" (2010); 3, REPET-SIM: Rafii and Pardo, "Music/voice separation using
the similarity matrix" (ISMIR 2012), with ``librosa.decompose.nn_filter``.

Deviations: the masks are soft, and lean towards the vocals (``LEAN``), since each of them errs by
taking too much away; REPET-SIM's similarity is looked for within ``WINDOW_S``, which bounds memory.

Measured on excerpts of 7 s of MUSDB18, median signal-to-distortion ratios in decibels, vocals and
accompaniment. The 24 excerpts on which the windows and ``LEAN`` were chosen: half the mixture 0.9
and 4.4, harmonic-percussive separation alone -0.8 and 2.2, steps 1 and 2 alone 2.8 and 5.8, step 3
alone 2.7 and 6.3, all 4.1 and 7.7. Two further sets: 24 excerpts 2.9 and 7.3, 23 excerpts 4.0 and
7.6. Real-time factor 0.15 on one core; 0.3 GB of memory beside the stems.
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
"""Above half of it nothing is taken for vocals."""

WINDOW_S: Final = 30.0
OVERLAP_S: Final = 2.0

LONG_FFT_SAMPLES: Final = 8192
SHORT_FFT_SAMPLES: Final = 512
FFT_SAMPLES: Final = 2048
HOPS_PER_FFT: Final = 4

MEDIAN_FRAMES: Final = 17
"""Of the filters over time; over frequency it counts bins."""

MIN_REPETITION_S: Final = 0.5
"""Frames nearer than this are no repetition but the same sound."""

NEIGHBOURS: Final = 32
"""Similar frames of which the median is taken."""

FRAMES_PER_REPORT: Final = 256
MIN_VOCALS_HZ: Final = 120.0
LEAN: Final = 0.5
"""By this the rival's magnitude is multiplied before it is compared with the vocals'."""


class RepetSimSeparator:
    """Satisfies ``pipeline.stages.Separator`` with the stems "vocals" and "accompaniment".

    Deterministic, and holds no state: one instance may serve any number of threads.
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
    """Mixture to vocals, shape (C, N) both."""
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
    # The repetition is heard in the mixture: the first two masks have torn it to pieces.
    mask = _mask_unrepeated(
        _magnitudes(_transform(mixture, FFT_SAMPLES)),
        lambda fraction: report(0.5 + 0.5 * fraction),
    )
    return _apply_mask(lasting, FFT_SAMPLES, lambda _: mask)[:, :length]


def _transform(samples: Samples, fft_samples: int) -> NDArray[np.complex64]:
    """Spectra, shape (C, F, T)."""
    spectra: NDArray[np.complex64] = librosa.stft(
        samples, n_fft=fft_samples, hop_length=fft_samples // HOPS_PER_FFT
    )
    return spectra


def _magnitudes(spectra: NDArray[np.complex64]) -> Magnitudes:
    """Mean over the channels, shape (F, T): one mask for all keeps voices where they stand."""
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
    """Mask of what is louder than the same frame's like elsewhere; shape (F, T)."""
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
