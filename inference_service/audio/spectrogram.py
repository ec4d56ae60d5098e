"""Spectrograms, once for training and for serving, on any torch device.

Every kind is a ``torch.nn.Module`` that takes ``torch.Tensor, shape (B, N), float`` and returns
magnitudes, ``torch.Tensor, shape (B, F, T), float32``, with ``T = N // hop + 1``: frame ``t`` is
centred on sample ``t * hop``, and the signal is zero outside its ends. They come from nnAudio, the
wavelet transform from ptwt; they hold no trainable parameters, and compute in float32 even under
autocast, because the long kernels of the low bins lose their precision in half.

Kinds
-----
stft
    Hann window of ``window_s``; the lowest ``bins`` bins. As ``np.abs(librosa.stft(...))``.
mel
    Slaney's mel filters on that. As ``librosa.feature.melspectrogram(..., power=1)``.
gammatone
    Slaney's fourth-order gammatone filters, equally spaced on the ERB scale, on that; unlike
    nnAudio's own scaling, each filter has gain 1 at its centre.
cqt
    Constant-Q, by convolution with the whole kernels (nnAudio's ``CQT1992v2``; its ``CQT2010``
    family is not used: resampling by octaves costs it frames and accuracy). As ``librosa.cqt``.
vqt
    Variable-Q: the same with bandwidths widened by ``gamma_hz`` (Schörkhuber et al., "A Matlab
    toolbox for efficient perfect reconstruction time-frequency transforms with log-frequency
    resolution", 2014), and so shorter kernels at low frequencies. As ``librosa.vqt``.
cwt
    Complex Morlet wavelets at the same frequencies as cqt. As ``np.abs(pywt.cwt(...))``, sampled
    at the frames. Computed over pieces of the signal, some scales at a time: memory is bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import ptwt
import pywt
import torch
from nnAudio.features import CQT1992v2, Gammatonegram, MelSpectrogram
from nnAudio.features.stft import STFT
from nnAudio.utils import create_cqt_kernels
from torch import Tensor, nn

Kind = Literal["stft", "mel", "gammatone", "cqt", "vqt", "cwt"]

WAVELET_BANDWIDTH: Final = 8.0
"""Variance parameter of the Morlet wavelet, in periods squared: about 4 periods a wave packet."""

WAVELET_HALF_SUPPORT: Final = 8.0
"""Periods on each side, PyWavelets' own bound; the envelope has fallen to exp(-8) there."""

CWT_FFT_SAMPLES: Final = 2**17
CWT_SCALES_AT_ONCE: Final = 12


@dataclass(frozen=True, slots=True)
class SpectrogramConfig:
    """What to compute; times in seconds and frequencies in hertz, samples and frames derived.

    Attributes
    ----------
    kind : str
    sample_rate_hz : int
        Of the samples that come in.
    hop_s : float
        From frame to frame; rounded to whole samples.
    bins : int
    f_min_hz : float
        The lowest bin's centre (cqt, vqt, cwt) or the lowest filter's beginning (mel, gammatone);
        not for stft.
    f_max_hz : float or None
        The highest filter's end (mel, gammatone); half the sample rate where None.
    window_s : float
        Of stft, mel and gammatone; rounded to an even number of samples.
    bins_per_octave : int
        Of cqt, vqt and cwt.
    gamma_hz : float
        Of vqt; 0 makes it a cqt.

    Raises
    ------
    ValueError
        If the bins reach over half the sample rate, or a value makes no sense.
    """

    kind: Kind
    sample_rate_hz: int
    hop_s: float
    bins: int
    f_min_hz: float = 27.5
    f_max_hz: float | None = None
    window_s: float = 0.093
    bins_per_octave: int = 12
    gamma_hz: float = 20.0

    def __post_init__(self) -> None:
        if self.hop_samples < 1 or self.bins < 1:
            raise ValueError("the hop and the number of bins must be positive")
        if self.top_hz > self.sample_rate_hz / 2:
            raise ValueError(
                f"the bins reach up to {self.top_hz:.0f} Hz, over half the sample rate of "
                f"{self.sample_rate_hz} Hz"
            )
        if self.kind == "stft" and self.bins > self.fft_samples // 2 + 1:
            raise ValueError(f"a window of {self.window_s} s has fewer than {self.bins} bins")

    @property
    def hop_samples(self) -> int:
        """From frame to frame."""
        return round(self.hop_s * self.sample_rate_hz)

    @property
    def frame_rate_hz(self) -> float:
        """Frames in a second, exactly."""
        return self.sample_rate_hz / self.hop_samples

    @property
    def fft_samples(self) -> int:
        """The window's length."""
        return 2 * max(1, round(self.window_s * self.sample_rate_hz / 2))

    @property
    def top_hz(self) -> float:
        """The highest frequency that the bins reach."""
        if self.kind in ("cqt", "vqt", "cwt"):
            return self.f_min_hz * 2 ** ((self.bins - 1) / self.bins_per_octave)
        return self.f_max_hz or self.sample_rate_hz / 2

    def count_frames(self, samples: int) -> int:
        """Frames that so many samples make."""
        return samples // self.hop_samples + 1


def build_spectrogram(config: SpectrogramConfig) -> nn.Module:
    """Return the module: ``(B, N)`` to magnitudes ``(B, F, T)``, float32; see above."""
    if config.kind == "cwt":
        return _WaveletTransform(config)
    return _Float32(_build_nnaudio(config))


def _build_nnaudio(config: SpectrogramConfig) -> nn.Module:
    common: dict[str, Any] = {
        "sr": config.sample_rate_hz,
        "hop_length": config.hop_samples,
        "pad_mode": "constant",
        "verbose": False,
    }
    filters = {
        "n_fft": config.fft_samples,
        "fmin": config.f_min_hz,
        "fmax": config.f_max_hz,
        "power": 1.0,
    }
    module: nn.Module
    match config.kind:
        case "stft":
            module = STFT(
                n_fft=config.fft_samples,
                freq_bins=config.bins,
                output_format="Magnitude",
                **common,
            )
        case "mel":
            module = MelSpectrogram(n_mels=config.bins, **filters, **common)
        case "gammatone":
            gammatonegram = Gammatonegram(n_bins=config.bins, **filters, **common)
            gammatonegram.gammatone_basis *= config.fft_samples
            module = gammatonegram
        case _:
            module = CQT1992v2(
                fmin=config.f_min_hz,
                n_bins=config.bins,
                bins_per_octave=config.bins_per_octave,
                **common,
            )
            if config.kind == "vqt":
                _widen_bands(module, config)
    return module


def _widen_bands(module: nn.Module, config: SpectrogramConfig) -> None:
    """Give a constant-Q module the kernels of a variable-Q transform."""
    kernels, module.kernel_width, lengths, _ = create_cqt_kernels(
        1.0 / (2.0 ** (1.0 / config.bins_per_octave) - 1.0),
        config.sample_rate_hz,
        config.f_min_hz,
        config.bins,
        config.bins_per_octave,
        norm=1,
        gamma=config.gamma_hz,
    )
    module.cqt_kernels_real = torch.tensor(kernels.real).unsqueeze(1)
    module.cqt_kernels_imag = torch.tensor(kernels.imag).unsqueeze(1)
    module.lenghts = lengths  # nnAudio's spelling


class _Float32(nn.Module):
    """Runs a module in float32, whatever precision surrounds it.

    Its kernels are computed from the configuration, so they are left out of ``state_dict``.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        for part in module.modules():
            for name, kernel in list(part.named_buffers(recurse=False)):
                part.register_buffer(name, kernel, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        with torch.autocast(samples.device.type, enabled=False):
            spectrogram: Tensor = self.module(samples.float())
        return spectrogram


class _WaveletTransform(nn.Module):
    """Magnitudes of a continuous wavelet transform at the frames."""

    def __init__(self, config: SpectrogramConfig) -> None:
        super().__init__()
        self.config = config
        self.wavelet = pywt.ContinuousWavelet(f"cmor{WAVELET_BANDWIDTH}-1.0")
        octaves = np.arange(config.bins) / config.bins_per_octave
        self.scales = config.sample_rate_hz / (config.f_min_hz * 2.0**octaves)

    def forward(self, samples: Tensor) -> Tensor:
        hop = self.config.hop_samples
        frames = self.config.count_frames(samples.shape[-1])
        margin = math.ceil(WAVELET_HALF_SUPPORT * self.scales[0]) + 1
        # ptwt pads a piece and a wavelet to a power of two: fill it.
        chunk_frames = max(1, (CWT_FFT_SAMPLES - 4 * margin) // hop)
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
        for first in range(0, len(self.scales), CWT_SCALES_AT_ONCE):
            scales = self.scales[first : first + CWT_SCALES_AT_ONCE]
            coefficients, _ = ptwt.cwt(samples, scales, self.wavelet)
            frames = coefficients[..., margin : -margin : self.config.hop_samples]
            groups.append(frames.abs().float())
        return torch.cat(groups).transpose(0, 1)


class LogCompression(nn.Module):
    """``log(1 + x / floor)``: silence stays 0, and what is far over the floor becomes its log.

    Parameters
    ----------
    floor : float
        The magnitude below which the scale is linear.
    """

    def __init__(self, floor: float = 1e-3) -> None:
        super().__init__()
        self.floor = floor

    def forward(self, magnitudes: Tensor) -> Tensor:
        return torch.log1p(magnitudes / self.floor)
