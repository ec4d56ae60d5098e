"""Spectrograms for training and serving, on any torch device.

Every kind is a ``torch.nn.Module`` that takes ``torch.Tensor, shape (B, N), float`` and returns
magnitudes, ``torch.Tensor, shape (B, F, T), float32``, with ``T = N // hop + 1``: frame ``t`` is
centred on sample ``t * hop``, and the signal is zero beyond its ends. torchaudio computes the mel
spectrogram, nnAudio the others. They have no trainable parameters, and compute in float32 even
under autocast, because the long kernels of the low bins are too imprecise in half precision.

Kinds
-----
stft
    Hann window of ``window_s``; the lowest ``bins`` bins. Matches ``np.abs(librosa.stft(...))``.
mel
    Slaney's mel filters on the stft. Matches ``librosa.feature.melspectrogram(..., power=1)``.
    torchaudio's FFT takes half the time of nnAudio's convolution.
gammatone
    Slaney's fourth-order gammatone filters, equally spaced on the ERB scale, on the stft; unlike
    nnAudio's own scaling, each filter has gain 1 at its centre.
cqt
    Constant-Q, by convolution with full-length kernels (nnAudio's ``CQT1992v2``; its ``CQT2010``
    family, which resamples by octaves, is less accurate and loses frames). Matches ``librosa.cqt``.
vqt
    Variable-Q: the same with bandwidths widened by ``gamma_hz`` (Schörkhuber et al., "A Matlab
    toolbox for efficient perfect reconstruction time-frequency transforms with log-frequency
    resolution", 2014), hence with shorter kernels at low frequencies. Matches ``librosa.vqt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram

Kind = Literal["stft", "mel", "gammatone", "cqt", "vqt"]


@dataclass(frozen=True, slots=True)
class SpectrogramConfig:
    """Parameters of a spectrogram, in seconds and hertz; samples and frames are derived.

    Attributes
    ----------
    kind : str
    sample_rate_hz : int
        Sample rate of the input.
    hop_s : float
        Time between frames; rounded to whole samples.
    bins : int
    f_min_hz : float
        Centre of the lowest bin (cqt, vqt) or lower edge of the lowest filter (mel, gammatone);
        stft ignores it.
    f_max_hz : float or None
        Upper edge of the highest filter (mel, gammatone); half the sample rate if None.
    window_s : float
        Window length (stft, mel, gammatone); rounded to an even number of samples.
    bins_per_octave : int
        For cqt and vqt.
    gamma_hz : float
        For vqt; 0 gives a cqt.

    Raises
    ------
    ValueError
        If the bins exceed half the sample rate, or a value is out of range.
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
        """Number of samples between frames."""
        return round(self.hop_s * self.sample_rate_hz)

    @property
    def frame_rate_hz(self) -> float:
        """Exact number of frames per second."""
        return self.sample_rate_hz / self.hop_samples

    @property
    def fft_samples(self) -> int:
        """Window length in samples."""
        return 2 * max(1, round(self.window_s * self.sample_rate_hz / 2))

    @property
    def top_hz(self) -> float:
        """Highest frequency of the bins."""
        if self.kind in ("cqt", "vqt"):
            return self.f_min_hz * 2 ** ((self.bins - 1) / self.bins_per_octave)
        return self.f_max_hz or self.sample_rate_hz / 2

    def count_frames(self, samples: int) -> int:
        """Return the number of frames for a number of samples."""
        return samples // self.hop_samples + 1


def build_spectrogram(config: SpectrogramConfig) -> nn.Module:
    """Return a module from samples ``(B, N)`` to magnitudes ``(B, F, T)``, float32."""
    return _Float32(_build_mel(config) if config.kind == "mel" else _build_nnaudio(config))


def _build_mel(config: SpectrogramConfig) -> nn.Module:
    module: nn.Module = MelSpectrogram(
        config.sample_rate_hz,
        n_fft=config.fft_samples,
        hop_length=config.hop_samples,
        f_min=config.f_min_hz,
        f_max=config.f_max_hz,
        n_mels=config.bins,
        power=1.0,
        pad_mode="constant",
        norm="slaney",
        mel_scale="slaney",
    )
    return module


def _build_nnaudio(config: SpectrogramConfig) -> nn.Module:
    # Imported here: nnAudio takes two seconds, and beats and singing need mel spectrograms alone.
    from nnAudio.features import CQT1992v2, Gammatonegram
    from nnAudio.features.stft import STFT

    common: dict[str, Any] = {
        "sr": config.sample_rate_hz,
        "hop_length": config.hop_samples,
        "pad_mode": "constant",
        "verbose": False,
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
        case "gammatone":
            gammatonegram = Gammatonegram(
                n_fft=config.fft_samples,
                n_bins=config.bins,
                fmin=config.f_min_hz,
                fmax=config.f_max_hz,
                power=1.0,
                **common,
            )
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
    from nnAudio.utils import create_cqt_kernels

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
    """Runs a module in float32 regardless of autocast.

    Its kernels follow from the configuration and are therefore not part of ``state_dict``.
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


class LogCompression(nn.Module):
    """``log(1 + x / floor)``: 0 for silence, and logarithmic far above the floor.

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
