"""The network that predicts beat and downbeat activations for every frame of a recording.

A convolutional front end summarises the spectrum around each frame; a stack of residual
convolutions with growing dilation (a temporal convolutional network: Davies and Böck, "Temporal
convolutional networks for musical audio beat tracking", EUSIPCO 2019; Böck and Davies,
"Deconstruct, analyse, reconstruct", ISMIR 2020) sees about ten seconds to either side. A third
output predicts whether beats divide in three. The network has no state: a frame's outputs depend
on the :attr:`BeatNetConfig.context_frames` frames to either side and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from inference_service.checkpoint import Network


@dataclass(frozen=True, slots=True)
class BeatNetConfig:
    """Sizes.

    Attributes
    ----------
    bins : int
        Bins of the spectrogram.
    channels : int
        Channels of the dilated stack.
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
        """The number of frames to either side that a frame's outputs depend on."""
        return 3 + (self.kernel // 2) * ((1 << self.doublings) - 1)


class Logits(NamedTuple):
    """The network's outputs for each frame: ``torch.Tensor, shape (B, T)``, log odds."""

    beat: Tensor
    downbeat: Tensor
    compound: Tensor


class BeatNet(Network):
    """Features ``(B, F, T)`` to :class:`Logits`."""

    config_class = BeatNetConfig
    config: BeatNetConfig

    def __init__(self, config: BeatNetConfig) -> None:
        super().__init__()
        self.config = config
        self.scale = nn.BatchNorm1d(config.bins)
        self.front_end = nn.Sequential(
            _front_end_layer(1, 12, 6, 3),
            _front_end_layer(12, 28, 5, 2),
            _front_end_layer(28, 40, 4, 2),
            nn.Flatten(1, 2),
        )
        with torch.no_grad():
            width = self.front_end.eval()(torch.zeros(1, 1, config.bins, 8)).shape[1]
        self.narrow = nn.Conv1d(width, config.channels, 1)
        self.stack = nn.Sequential(
            *(_DilatedLayer(config, 2**power) for power in range(config.doublings))
        )
        self.head = nn.Conv1d(config.channels, len(Logits._fields), 1)

    def forward(self, features: Tensor) -> Logits:
        summed = self.narrow(self.front_end(self.scale(features).unsqueeze(1)))
        logits = self.head(nn.functional.relu(self.stack(summed)))
        return Logits(*logits.unbind(1))


def _front_end_layer(incoming: int, outgoing: int, bins: int, stride: int) -> nn.Module:
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
