"""The six spectrograms that are compared, each configured for a note network.

Those with logarithmic frequencies have three bins per semitone from A0 to 10 kHz, the middle one of
which lies on the pitch; mel and gammatone have as many filters over the same range. STFT, mel and
gammatone have a window of 93 ms, a resolution of 11 Hz. ``vqt`` has the note tagger's bandwidths.

All are read at the same 309 frequencies (:func:`align`), so that the same network learns from each
and only their resolution in frequency and time differs.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inference_service.audio import spectrogram
from inference_service.audio.spectrogram import (
    LogCompression,
    SpectrogramConfig,
    build_spectrogram,
)
from inference_service.audio.waveform import Samples
from inference_service.tagger.notes.network import BINS_PER_SEMITONE, SEMITONES, NoteNetConfig
from model_zoo.training.sound.fluidsynth import RATE_HZ

Kind = spectrogram.Kind | Literal["cwt"]

KINDS: Final[tuple[Kind, ...]] = ("stft", "mel", "cqt", "vqt", "gammatone", "cwt")
HOP_S: Final = 0.02
BINS: Final = BINS_PER_SEMITONE * SEMITONES
TOP_HZ: Final = 10_000.0
STFT_BINS: Final = 930
TONE_HZ: Final = 880.0


def configure(kind: Kind, hop_s: float = HOP_S) -> SpectrogramConfig:
    """Return the configuration of a kind of spectrogram; wavelets have the bins of constant-Q."""
    own = NoteNetConfig().spectrogram
    logarithmic = kind in ("cqt", "vqt", "cwt")
    return SpectrogramConfig(
        kind="cqt" if kind == "cwt" else kind,
        sample_rate_hz=RATE_HZ,
        hop_s=hop_s,
        bins=STFT_BINS if kind == "stft" else BINS,
        f_min_hz=own.f_min_hz if logarithmic else 27.5,
        f_max_hz=None if logarithmic or kind == "stft" else TOP_HZ,
        bins_per_octave=own.bins_per_octave,
        gamma_hz=own.gamma_hz,
    )


def build(kind: Kind, hop_s: float = HOP_S) -> nn.Module:
    """Return a module for logarithmic spectra: ``(B, N)`` to ``(B, F, T)``.

    Floors are scaled so that a tone exceeds each by as much as the note tagger's.
    """
    floor = NoteNetConfig().floor * _loudest(kind) / _loudest("vqt")
    return nn.Sequential(_build_linear(kind, hop_s), LogCompression(floor))


def _build_linear(kind: Kind, hop_s: float = HOP_S) -> nn.Module:
    config = configure(kind, hop_s)
    if kind == "cwt":
        from model_zoo.training.trials.wavelets import WaveletTransform  # needs ptwt

        return WaveletTransform(config)
    return build_spectrogram(config)


@cache
def _loudest(kind: Kind) -> float:
    """Return the magnitude of a tone of amplitude 1."""
    time_s = torch.arange(RATE_HZ) / RATE_HZ
    tone = torch.sin(2 * torch.pi * TONE_HZ * time_s)
    return float(_build_linear(kind)(tone[None])[0, :, 20:-20].max())


def frequencies_hz(kind: Kind) -> NDArray[np.float64]:
    """Return the centres of the bins, shape (F,); for filters, the centre of their power."""
    config = configure(kind)
    if kind in ("cqt", "vqt", "cwt"):
        return config.f_min_hz * 2.0 ** (np.arange(config.bins) / config.bins_per_octave)
    fft_hz = np.arange(config.fft_samples // 2 + 1) * config.sample_rate_hz / config.fft_samples
    if kind == "stft":
        return fft_hz[: config.bins]
    module = build_spectrogram(config).get_submodule("module")
    gains = module.get_buffer("mel_scale.fb").T if kind == "mel" else module.gammatone_basis
    filters = np.square(np.asarray(gains))
    return np.asarray(filters @ fft_hz / filters.sum(axis=1))


@cache
def align(kind: Kind) -> NDArray[np.float32]:
    """Return weights, shape (BINS, F), that read a spectrogram at three points per semitone.

    Each point is the weighted mean of the bins between its neighbours, or, where bins are further
    apart than points, interpolated between the two nearest bins.
    """
    centres_hz, wanted_hz = frequencies_hz(kind), frequencies_hz("vqt")
    apart_hz = np.maximum(np.gradient(wanted_hz), np.interp(
        wanted_hz, centres_hz, np.gradient(centres_hz)))  # fmt: skip
    distance = np.abs(centres_hz - wanted_hz[:, None]) / apart_hz[:, None]
    weights = np.maximum(1.0 - distance, 0.0)
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-6), np.float32)


def measure_cost(kind: Kind, samples: Samples, repeats: int = 3) -> float:
    """Return the CPU seconds per second of sound, the best of some runs."""
    module, batch = build(kind), torch.from_numpy(samples)[None]
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        with torch.inference_mode():
            module(batch)
        taken.append(time.process_time() - began)
    return min(taken) * RATE_HZ / len(samples)
