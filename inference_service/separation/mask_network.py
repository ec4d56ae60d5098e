"""A network that estimates masks for the vocals in a stereo spectrogram.

The input is the magnitudes, with windows of 93 ms, of the mid (L + R), side (L - R), left and right
signals, which show the positions of voices in the stereo image and their partials. The output is a
mask in [0, 1] for the mid and one for the side signal. The vocals are the mixture's spectra
multiplied by the masks, with the phases of the mixture.

The network is a U-Net of time-frequency convolutions. Its blocks also contain the time-distributed
fully-connected layers, with a bottleneck, of Choi, Kim, Chung, Lee and Jung, "Investigating U-Nets
with various intermediate blocks for spectrogram-based singing voice separation" (ISMIR 2020).

Deviations: the network estimates masks instead of spectra, which needs less training data; skip
connections are added instead of concatenated. To be fast on two CPU cores, it folds four
neighbouring bins into channels at the start and unfolds them at the end, and uses the mean of the
highest masks for all bins above 11 kHz.

An output frame depends on :attr:`MaskNetConfig.context_frames` frames on each side, and on the
start of the window modulo :attr:`MaskNetConfig.stride_frames`. Windows that respect both give the
same result as the whole recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.checkpoint import Network

VIEWS: Final = 4
"""Mid, side, left and right."""

COMPRESSION: Final = 0.3
"""Exponent that makes magnitudes approximate loudness."""


@dataclass(frozen=True, slots=True)
class MaskNetConfig:
    """Sizes of the network.

    Attributes
    ----------
    sample_rate_hz, fft_samples, hop_samples : int
        Parameters of the spectra, with Hann windows.
    bins : int
        Number of bins with individual masks; higher bins share the mean of the highest of these.
    fold : int
        Number of neighbouring bins folded into channels.
    channels : tuple of int
        Number of channels at each depth of the U-Net, from the top.
    waist : int
        Bottleneck factor of the fully-connected layers.
    """

    sample_rate_hz: int = 44_100
    fft_samples: int = 4096
    hop_samples: int = 1024
    bins: int = 1024
    fold: int = 4
    channels: tuple[int, ...] = (16, 32, 48, 64)
    waist: int = 8

    @property
    def stride_frames(self) -> int:
        """Number of input frames for one frame of the deepest layer."""
        return int(2 ** (len(self.channels) - 1))

    @property
    def context_frames(self) -> int:
        """Number of frames on each side that an output depends on, rounded up to whole strides."""
        convolutions = 4  # in a block, each with one frame of context on each side
        frames, stride = 2, 1
        for depth in range(len(self.channels)):
            deepest = depth == len(self.channels) - 1
            frames += (convolutions if deepest else 2 * convolutions) * stride + stride
            stride *= 2
        return -(-frames // self.stride_frames) * self.stride_frames


class MaskNet(Network):
    """Spectra ``(B, 2, T, F)`` of mid and side to their masks; see :meth:`transform`."""

    config_class = MaskNetConfig
    config: MaskNetConfig

    def __init__(self, config: MaskNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MaskNetConfig()
        sizes = config.channels
        places = [config.bins // config.fold // 2**depth for depth in range(len(sizes))]
        self.scale = nn.BatchNorm1d(VIEWS * config.bins)
        self.fold = nn.Conv2d(VIEWS, sizes[0], (3, config.fold), (1, config.fold), (1, 0))
        self.down = nn.ModuleList(
            _Block(size, place, config.waist)
            for size, place in zip(sizes[:-1], places[:-1], strict=True)
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(size, deeper, 2, 2) for size, deeper in pairwise(sizes)
        )
        self.deepest = _Block(sizes[-1], places[-1], config.waist)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(deeper, size, 2, 2) for size, deeper in pairwise(sizes)
        )
        self.up = nn.ModuleList(
            _Block(size, place, config.waist)
            for size, place in zip(sizes[:-1], places[:-1], strict=True)
        )
        self.unfold = nn.ConvTranspose2d(sizes[0], VIEWS, (1, config.fold), (1, config.fold))
        self.heads = nn.Conv2d(2 * VIEWS, 2, 3, padding=1)

    def transform(self, samples: Tensor) -> Tensor:
        """Return spectra ``(B, 2, T, F)`` of mid and side, T = N // hop + 1, of ``(B, 2, N)``."""
        left, right = samples.unbind(1)
        both = torch.stack([(left + right) / 2, (left - right) / 2], 1)
        spectra = torch.stft(
            both.flatten(0, 1),
            self.config.fft_samples,
            self.config.hop_samples,
            window=torch.hann_window(self.config.fft_samples, device=samples.device),
            pad_mode="constant",
            return_complex=True,
        )
        return spectra.reshape(*both.shape[:2], *spectra.shape[1:]).transpose(2, 3)

    def restore(self, spectra: Tensor, length: int) -> Tensor:
        """Return samples ``(B, 2, length)`` for spectra of mid and side."""
        samples = torch.istft(
            spectra.transpose(2, 3).flatten(0, 1),
            self.config.fft_samples,
            self.config.hop_samples,
            window=torch.hann_window(self.config.fft_samples, device=spectra.device),
            length=length,
        )
        middle, side = samples.reshape(*spectra.shape[:2], length).unbind(1)
        return torch.stack([middle + side, middle - side], 1)

    def forward(self, spectra: Tensor) -> Tensor:
        config = self.config
        frames = spectra.shape[2]
        views = self._view(F.pad(spectra, (0, 0, 0, -frames % config.stride_frames)))
        here = F.relu(self.fold(views))
        passed = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            here = block(here)
            passed.append(here)
            here = F.relu(shrink(here))
        here = self.deepest(here)
        for block, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            here = block(F.relu(grow(here)) + passed.pop())
        both = torch.cat([self.unfold(here), views], 1)
        masks: Tensor = torch.sigmoid(self.heads(both).float())[:, :, :frames]
        above = spectra.shape[-1] - config.bins
        highest = masks[..., -config.bins // 8 :].mean(-1, keepdim=True)
        return torch.cat([masks, highest.expand(-1, -1, -1, above)], -1)

    def _view(self, spectra: Tensor) -> Tensor:
        """Return compressed magnitudes ``(B, 4, T, bins)`` for spectra ``(B, 2, T, F)``."""
        middle, side = spectra[..., : self.config.bins].unbind(1)
        views = torch.stack([middle, side, middle + side, middle - side], 1).abs()
        views = (views + 1e-5) ** COMPRESSION
        columns = views.permute(0, 1, 3, 2).flatten(1, 2)
        scaled: Tensor = self.scale(columns).reshape(views.transpose(2, 3).shape).transpose(2, 3)
        return scaled.contiguous(memory_format=torch.channels_last)


class _Block(nn.Module):
    """Convolutions, fully-connected layers over frequency, convolutions: ``(B, C, T, P)``."""

    def __init__(self, channels: int, places: int, waist: int) -> None:
        super().__init__()
        self.before = _Convolutions(channels)
        self.whole = nn.Sequential(
            nn.Linear(places, max(places // waist, 8), bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Linear(max(places // waist, 8), places, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.after = _Convolutions(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        x = x + self.whole(x)
        x = self.after(x)
        return x


class _Convolutions(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))
