"""The Mel-band RoFormer, a network that extracts one stem from a stereo mixture.

The spectrogram is cut into overlapping bands, as wide as mel filters; each band of each frame
becomes a vector. Transformers with rotary positions (RoFormers) attend in turn along time, for
each band, and along the bands, for each frame. Complex masks for the bins of each band are
predicted from its vectors, averaged where bands overlap, and multiplied with the spectrogram (Wang,
Lu and Won, "Mel-Band RoFormer for Music Source Separation", 2023, arXiv:2310.01809).

Parameters have the names and shapes of the checkpoints that are published for the implementation of
Phil Wang and its descendants, https://github.com/lucidrains/BS-RoFormer, before it learnt value
residuals and hyper-connections. This is an implementation of its own, for inference, which reports
progress between layers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from librosa.filters import mel
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.checkpoint import fill, read_published
from inference_service.errors import ModelRejected

CHANNELS: Final = 2
ROTATION_BASE: Final = 10_000.0
"""Of rotary positions (Su et al., "RoFormer", 2021)."""


_Pairs = Iterable[tuple[nn.Module, nn.Module]]
"""What torch's types do not say of a list of lists of modules."""


@dataclass(frozen=True, slots=True)
class BandConfig:
    """Sizes of the network; the defaults are those of Kimberley Jensen's for vocals.

    Attributes
    ----------
    sample_rate_hz, fft_samples, hop_samples : int
        Parameters of the spectrogram, with Hann windows.
    bands : int
        Number of mel filters.
    width : int
        Length of a band's vector.
    depth : int
        Number of pairs of transformers, along time and along bands, each of one layer.
    heads, head_width : int
        Of the attention.
    mask_layers : int
        Hidden layers of the perceptron that predicts a band's mask.
    """

    sample_rate_hz: int = 44_100
    fft_samples: int = 2048
    hop_samples: int = 441
    bands: int = 60
    width: int = 384
    depth: int = 6
    heads: int = 8
    head_width: int = 64
    mask_layers: int = 2


class BandRoformer(nn.Module):
    """Stereo samples, shape ``(B, 2, N)``, to those of the stem, of the same shape."""

    bins_of_bands: Tensor
    """Bin of each value of all bands, one band after the other."""
    bands_of_bins: Tensor
    """The number of bands that contain each bin."""
    window: Tensor

    def __init__(self, config: BandConfig) -> None:
        super().__init__()
        self.config = config
        in_band = _find_bands(config)
        sizes = [2 * CHANNELS * int(size) for size in in_band.sum(axis=1)]
        for name, values in (
            ("bins_of_bands", torch.from_numpy(np.nonzero(in_band)[1])),
            ("bands_of_bins", torch.from_numpy(in_band.sum(axis=0))),
            ("window", torch.hann_window(config.fft_samples)),
        ):
            self.register_buffer(name, values, persistent=False)
        self.layers = nn.ModuleList(
            nn.ModuleList([_Transformer(config), _Transformer(config)]) for _ in range(config.depth)
        )
        self.band_split = _BandSplit(config, sizes)
        self.mask_estimators = nn.ModuleList([_MaskEstimator(config, sizes)])

    def forward(self, samples: Tensor, on_layer: Callable[[], None] = lambda: None) -> Tensor:
        spectra = self._transform(samples)
        x = self.band_split(self._gather(spectra))
        for along_time, along_bands in cast(_Pairs, self.layers):
            on_layer()
            x = along_time(x.transpose(1, 2)).transpose(1, 2)
            on_layer()
            x = along_bands(x)
        on_layer()
        masks = self._scatter(self.mask_estimators[0](x))
        return self._restore(spectra * masks, samples.shape[-1])

    def _transform(self, samples: Tensor) -> Tensor:
        """Return spectra, shape (B, 2, F, T), complex."""
        config = self.config
        spectra = torch.stft(
            samples.flatten(0, 1),
            config.fft_samples,
            config.hop_samples,
            window=self.window,
            return_complex=True,
        )
        return spectra.reshape(*samples.shape[:2], *spectra.shape[1:])

    def _restore(self, spectra: Tensor, length: int) -> Tensor:
        config = self.config
        samples = torch.istft(
            spectra.flatten(0, 1),
            config.fft_samples,
            config.hop_samples,
            window=self.window,
            length=length,
        )
        return samples.reshape(*spectra.shape[:2], length)

    def _gather(self, spectra: Tensor) -> Tensor:
        """Return the values of all bands, by bin, channel and part, shape (B, T, V)."""
        values = torch.view_as_real(spectra[:, :, self.bins_of_bands])
        return values.permute(0, 3, 2, 1, 4).flatten(2)

    def _scatter(self, values: Tensor) -> Tensor:
        """Return complex values by bin, shape (B, 2, F, T): the mean over the bands of each bin."""
        parts = values.reshape(*values.shape[:2], -1, CHANNELS, 2).permute(0, 3, 2, 1, 4)
        bands = torch.view_as_complex(parts.contiguous())
        total = bands.new_zeros(*bands.shape[:2], len(self.bands_of_bins), bands.shape[3])
        total.index_add_(2, self.bins_of_bands, bands)
        return total / self.bands_of_bins[:, None]


class _RmsNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = F.normalize(x, dim=-1) * len(self.gamma) ** 0.5 * self.gamma
        return normed


class _BandSplit(nn.Module):
    """The values of all bands, shape ``(B, T, V)``, to vectors, ``(B, T, bands, width)``."""

    def __init__(self, config: BandConfig, sizes: list[int]) -> None:
        super().__init__()
        self._sizes = sizes
        self.to_features = nn.ModuleList(
            nn.Sequential(_RmsNorm(size), nn.Linear(size, config.width)) for size in sizes
        )

    def forward(self, values: Tensor) -> Tensor:
        bands = values.split_with_sizes(self._sizes, dim=-1)
        return torch.stack(
            [layer(band) for layer, band in zip(self.to_features, bands, strict=True)], dim=-2
        )


class _MaskEstimator(nn.Module):
    """The inverse of :class:`_BandSplit`."""

    def __init__(self, config: BandConfig, sizes: list[int]) -> None:
        super().__init__()
        self.to_freqs = nn.ModuleList(
            nn.Sequential(_build_perceptron(config, 2 * size), nn.GLU()) for size in sizes
        )

    def forward(self, x: Tensor) -> Tensor:
        bands = x.unbind(dim=-2)
        return torch.cat(
            [layer(band) for layer, band in zip(self.to_freqs, bands, strict=True)], dim=-1
        )


def _build_perceptron(config: BandConfig, outputs: int) -> nn.Sequential:
    widths = [config.width] + [4 * config.width] * config.mask_layers
    layers: list[nn.Module] = []
    for incoming, outgoing in pairwise(widths):
        layers += [nn.Linear(incoming, outgoing), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


class _Transformer(nn.Module):
    """A transformer of one layer along the third axis of ``(B, M, L, width)``."""

    def __init__(self, config: BandConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.ModuleList([_Attention(config), _FeedForward(config.width)])]
        )
        self.norm = _RmsNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        for attention, feed_forward in cast(_Pairs, self.layers):
            x = attention(x) + x
            x = feed_forward(x) + x
        normed: Tensor = self.norm(x)
        return normed


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            _RmsNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Identity(),  # dropout, in training
            nn.Linear(4 * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.net(x)
        return projected


class _Attention(nn.Module):
    """Attention with rotary positions, and a gate for each head."""

    def __init__(self, config: BandConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_width
        self._heads = config.heads
        self.rotary_embed = _Rotation(config.head_width)
        self.norm = _RmsNorm(config.width)
        self.to_qkv = nn.Linear(config.width, 3 * inner, bias=False)
        self.to_gates = nn.Linear(config.width, config.heads)
        self.to_out = nn.Sequential(nn.Linear(inner, config.width, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        projected = self.to_qkv(normed).reshape(*x.shape[:-1], 3, self._heads, -1)
        query, key, value = projected.movedim(-3, 0).transpose(-3, -2)
        heard = F.scaled_dot_product_attention(
            self.rotary_embed(query), self.rotary_embed(key), value
        )
        gates = self.to_gates(normed).sigmoid()
        heard = heard * gates.transpose(-1, -2).unsqueeze(-1)
        out: Tensor = self.to_out(heard.transpose(-3, -2).flatten(-2))
        return out


class _Rotation(nn.Module):
    """Turns pairs of values in ``(..., L, D)`` by angles that grow along L."""

    freqs: Tensor

    def __init__(self, head_width: int) -> None:
        super().__init__()
        exponents = torch.arange(0, head_width, 2) / head_width
        self.register_buffer("freqs", ROTATION_BASE**-exponents)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[-2], device=x.device, dtype=self.freqs.dtype)
        turns = torch.polar(torch.ones_like(self.freqs), self.freqs * places[:, None])
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * turns).flatten(-2).type_as(x)


def _find_bands(config: BandConfig) -> NDArray[np.bool_]:
    """Return which bins each band contains, shape (bands, F)."""
    filters = mel(sr=config.sample_rate_hz, n_fft=config.fft_samples, n_mels=config.bands)
    in_band: NDArray[np.bool_] = filters > 0
    # The filters are zero at both ends of the spectrum.
    in_band[0, 0] = in_band[-1, -1] = True
    return in_band


def load_published(path: Path, device: torch.device | str = "cpu") -> BandRoformer:
    """Read a published checkpoint, in evaluation mode.

    Only tensors are read from it, never code. The network's sizes are those of the tensors; the
    spectrogram, which shows in none of them, is that of :class:`BandConfig`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If the file holds something else, or values that are not finite.
    """
    content = read_published(path, path.stem, mmap=True)
    try:
        network = BandRoformer(_read_sizes(content))
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise ModelRejected(
            f"{path.name} holds the parameters of another network", model=path.stem
        ) from error
    return fill(network, content, path, path.stem).to(device)


def _read_sizes(tensors: Mapping[str, Tensor]) -> BandConfig:
    """Return the sizes of the network whose parameters these are."""
    attention = "layers.0.0.layers.0.0."
    heads, width = tensors[attention + "to_gates.weight"].shape
    names = list(tensors)
    return BandConfig(
        bands=_count(names, r"band_split\.to_features\.(\d+)\."),
        width=width,
        depth=_count(names, r"layers\.(\d+)\."),
        heads=heads,
        head_width=tensors[attention + "to_qkv.weight"].shape[0] // 3 // heads,
        mask_layers=_count(names, r"mask_estimators\.0\.to_freqs\.0\.0\.(\d+)\.weight") - 1,
    )


def _count(names: Sequence[str], pattern: str) -> int:
    """Return the number of different parts of a list of modules."""
    return len({match[1] for name in names if (match := re.match(pattern, name))})
