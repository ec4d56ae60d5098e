"""The network of S-KEY, which predicts the key of a recording from its spectrum in semitones.

Convolutions that keep the distance between semitones halve the frame rate again and again; the mean
over octaves and over time leaves a value for each pitch class and mode. It was trained without
labels: its answers must follow transpositions, and it learns to tell the modes apart from
pseudo-labels that are computed from chroma (Kong, Meseguer-Brocal, Lostanlen, Lagrange and
Hennequin, "S-KEY: Self-supervised Learning of Major and Minor Keys from Audio", ICASSP 2025,
arXiv:2501.12907).

The parameters are those that the authors publish with https://github.com/deezer/skey. This is an
implementation of its own: their package installs from its repository alone. The spectrum is
nnAudio's variable-Q transform, as there, with the published kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from nnAudio.features.vqt import VQT
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import amplitude_to_DB

from inference_service.checkpoint import fill, read_published
from inference_service.errors import ModelRejected

MODEL: Final = "s-key"
SAMPLE_RATE_HZ: Final = 22_050
HOP_SAMPLES: Final = 512
LOWEST_HZ: Final = 27.5
BINS: Final = 84
"""Semitones from A0 that the network reads, of :data:`PUBLISHED_BINS` that are computed."""
PUBLISHED_BINS: Final = 99
TOP_DB: Final = 80.0

MIN_FRAMES: Final = 128
"""The frame rate is halved seven times."""

_LAYERS: Final = ((2, 7), (3, 7), (40, 7), (40, 7), (30, 7), (10, 5), (3, 5))
"""Channels and kernel size of each layer."""

_FIRST_TONICS: Final = {"major": 9, "minor": 11}
"""Pitch class of the first output of each mode: A major, B minor."""


_USED: Final = ("hcqt.", "chromanet.")
"""Parts of the network; other entries of the file are ignored."""


class KeyNetwork(nn.Module):
    """Samples at 22.05 kHz, shape ``(B, N)``, to probabilities, ``(B, 2, 12)``.

    By mode, major first, and by tonic, C first. A recording has at least :data:`MIN_FRAMES` frames,
    and a peak of 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hcqt = VQT(
            sr=SAMPLE_RATE_HZ,
            hop_length=HOP_SAMPLES,
            fmin=LOWEST_HZ,
            n_bins=PUBLISHED_BINS,
            verbose=False,
        )
        self.chromanet = _ChromaNetwork()

    def forward(self, samples: Tensor) -> Tensor:
        magnitudes = self.hcqt(
            samples[:, None], output_format="Magnitude", normalization_type="librosa"
        )
        decibels = amplitude_to_DB(magnitudes[:, None], 10.0, 1e-10, 0.0, top_db=TOP_DB)
        logits = self.chromanet((decibels / TOP_DB + 1.0)[:, :, :BINS])
        major, minor = logits.flatten(1).softmax(-1).reshape(-1, 2, 12).unbind(1)
        return torch.stack(
            [major.roll(_FIRST_TONICS["major"], -1), minor.roll(_FIRST_TONICS["minor"], -1)], 1
        )


class _ChromaNetwork(nn.Module):
    """Decibels, shape ``(B, 1, 84, T)``, to log odds by mode and pitch class, ``(B, 2, 12)``."""

    def __init__(self) -> None:
        super().__init__()
        incoming = [1, *(channels for channels, _ in _LAYERS)]
        self.time_downsampling_blocks = nn.ModuleList(
            _Halving(before, channels)
            for before, (channels, _) in zip(incoming, _LAYERS, strict=False)
        )
        self.convnext_blocks = nn.ModuleList(_Block(*layer) for layer in _LAYERS)
        self.classifier = nn.Conv2d(incoming[-1], 2, 1)
        self.batch_norm = nn.BatchNorm2d(2, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        for halving, block in zip(self.time_downsampling_blocks, self.convnext_blocks, strict=True):
            x = block(halving(x))
        chroma = x.reshape(*x.shape[:2], -1, 12, x.shape[-1]).mean(dim=(2, 4))
        logits: Tensor = self.batch_norm(self.classifier(chroma[..., None]))
        return logits[..., 0]


class _Halving(nn.Module):
    """Halves the frame rate."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(incoming, outgoing, (1, 2), stride=(1, 2))

    def forward(self, x: Tensor) -> Tensor:
        halved: Tensor = F.gelu(self.conv(_normalise(x)))
        return halved


class _Block(nn.Module):
    """A residual block of ConvNeXt (Liu et al., "A ConvNet for the 2020s", CVPR 2022)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(
            channels,
            channels,
            kernel,
            padding=kernel // 2,
            groups=channels,
            padding_mode="replicate",
        )
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        inner = _normalise(self.dwconv(x)).movedim(1, -1)
        inner = self.gamma * self.pwconv2(F.gelu(self.pwconv1(inner)))
        added: Tensor = x + inner.movedim(-1, 1)
        return added


def _normalise(x: Tensor) -> Tensor:
    """Normalise by the mean and variance of the whole recording."""
    return F.layer_norm(x, x.shape[1:])


def load_published(path: Path, device: str = "cpu") -> KeyNetwork:
    """Read the checkpoint of S-KEY, in evaluation mode.

    Only tensors and numbers are read from it, never code.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If the file holds something else, or values that are not finite.
    """
    numbers: list[Any] = [  # the settings beside the tensors hold a few of numpy's, of version 1
        (np.float64().__reduce__()[0], "numpy.core.multiarray.scalar"),
        np.dtype,
        np.dtypes.Float64DType,
        np.dtypes.Int64DType,
    ]
    content = read_published(path, MODEL, allowed=numbers)
    published = content.get("stone") if isinstance(content, dict) else None
    if not isinstance(published, Mapping):
        raise ModelRejected(f"{path.name} holds no parameters", model=MODEL)
    used = {name: v for name, v in published.items() if str(name).startswith(_USED)}
    return fill(KeyNetwork(), used, path, MODEL).to(device)
