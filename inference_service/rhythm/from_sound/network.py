"""The network that tells how like a beat, and a downbeat, every moment of a recording is.

A convolutional stem sums up the spectrum around each frame; a stack of residual convolutions with
growing dilation (a temporal convolutional network: Davies and Böck, "Temporal convolutional
networks for musical audio beat tracking", EUSIPCO 2019; Böck and Davies, "Deconstruct, analyse,
reconstruct", ISMIR 2020) hears about ten seconds to either side. Beside beats and downbeats it
tells whether beats divide in three. Batch normalisation, no state: a frame's outputs depend on
:attr:`BeatNetConfig.context_frames` about it and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

CONFIG_KEY: Final = "config"


@dataclass(frozen=True, slots=True)
class BeatNetConfig:
    """Sizes.

    Attributes
    ----------
    bins : int
        Of the spectrogram.
    channels : int
        Of the dilated stack.
    kernel : int
        Taps of a dilated convolution, odd.
    doublings : int
        Layers of the stack, with dilations 1, 2, 4, ...
    dropout : float
    """

    bins: int = 96
    channels: int = 64
    kernel: int = 5
    doublings: int = 8
    dropout: float = 0.1

    @property
    def context_frames(self) -> int:
        """How many frames to either side a frame's outputs depend on."""
        return 3 + (self.kernel // 2) * ((1 << self.doublings) - 1)


class Logits(NamedTuple):
    """What the network tells of each frame: ``torch.Tensor, shape (B, T)``, log odds."""

    beat: Tensor
    downbeat: Tensor
    compound: Tensor


class BeatNet(nn.Module):
    """Features ``(B, F, T)`` to :class:`Logits`."""

    def __init__(self, config: BeatNetConfig) -> None:
        super().__init__()
        self.config = config
        self.scale = nn.BatchNorm1d(config.bins)
        self.stem = nn.Sequential(
            _stem_layer(1, 12, 6, 3),
            _stem_layer(12, 28, 5, 2),
            _stem_layer(28, 40, 4, 2),
            nn.Flatten(1, 2),
        )
        with torch.no_grad():
            width = self.stem.eval()(torch.zeros(1, 1, config.bins, 8)).shape[1]
        self.narrow = nn.Conv1d(width, config.channels, 1)
        self.stack = nn.Sequential(
            *(_DilatedLayer(config, 2**power) for power in range(config.doublings))
        )
        self.head = nn.Conv1d(config.channels, len(Logits._fields), 1)

    def forward(self, features: Tensor) -> Logits:
        summed = self.narrow(self.stem(self.scale(features).unsqueeze(1)))
        logits = self.head(nn.functional.relu(self.stack(summed)))
        return Logits(*logits.unbind(1))


def _stem_layer(incoming: int, outgoing: int, bins: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(incoming, outgoing, (bins, 3), (stride, 1), (0, 1), bias=False),
        nn.BatchNorm2d(outgoing),
        nn.ReLU(),
    )


class _DilatedLayer(nn.Module):
    """A residual convolution with gaps between its taps."""

    def __init__(self, config: BeatNetConfig, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv1d(
                config.channels,
                config.channels,
                config.kernel,
                dilation=dilation,
                padding=dilation * (config.kernel // 2),
                bias=False,
            ),
            nn.BatchNorm1d(config.channels),
            nn.ReLU(),
            nn.Dropout1d(config.dropout),
            nn.Conv1d(config.channels, config.channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.layers(x)
        return x


def save_network(network: BeatNet, path: Path, notes: dict[str, str]) -> None:
    """Write weights and sizes, with ``notes`` for readers, as safetensors."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    metadata = {CONFIG_KEY: json.dumps(asdict(network.config)), **notes}
    save_file(tensors, path, metadata)


def load_network(path: Path, device: str = "cpu") -> BeatNet:
    """Read what :func:`save_network` wrote, ready to run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    with safe_open(path, framework="pt", device=device) as file:
        config = BeatNetConfig(**json.loads(file.metadata()[CONFIG_KEY]))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    network = BeatNet(config)
    network.load_state_dict(tensors)
    return network.to(device).eval()
