"""A network that predicts bar lines and metre for music on a grid of eighths.

For each eighth, a dilated convolutional network predicts whether a bar begins there, and the metre.
Its receptive field covers dozens of bars; its normalisation is over the whole piece. This is a
temporal convolutional network (Bai, Kolter and Koltun, arXiv:1803.01271), as Davies and Böck use it
for beats in audio (EUSIPCO 2019), applied to symbolic music.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference_service.checkpoint import Network, load_network
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS

Floats = NDArray[np.float64]

TICK: Final = QUARTER_PARTS // 2
TICK_FEATURES: Final = 25
_NOVELTY_TICKS: Final = (2, 4, 8)


def describe_ticks(
    positions: NDArray[np.int64],
    lengths: Floats,
    pitch: NDArray[np.int64],
    velocity: NDArray[np.int64],
    count: int,
) -> NDArray[np.float32]:
    """Return the features of ``count`` eighths, shape (count, TICK_FEATURES).

    Parameters
    ----------
    positions : np.ndarray of int, shape (N,)
        Onset of each note, in 24ths of a quarter from the first tick.
    lengths : np.ndarray, shape (N,)
        Duration of each note in quarter notes.
    pitch, velocity : np.ndarray of int, shape (N,)
    count : int
    """
    tick = np.clip(positions // TICK, 0, count - 1)
    on = positions % TICK == 0
    lowest, highest = np.full(count, 128.0), np.full(count, -1.0)
    np.minimum.at(lowest, tick[on], pitch[on])
    np.maximum.at(highest, tick[on], pitch[on])
    longest, loudest = np.zeros(count), np.zeros(count)
    np.maximum.at(longest, tick[on], np.minimum(lengths[on], 8.0))
    np.maximum.at(loudest, tick[on], velocity[on])
    sizes = np.bincount(tick[on], minlength=count)
    passing = np.bincount(tick[~on], minlength=count)
    struck = sizes > 0
    usual = float(velocity.mean()) if len(velocity) else 64.0
    classes = np.zeros((count, 12))
    np.add.at(classes, (tick, pitch % 12), np.minimum(lengths, 2.0) + 0.1)
    bass = np.where(struck, lowest, np.inf)
    columns = [
        struck,
        np.minimum(passing, 4) / 4.0,
        np.minimum(sizes, 8) / 4.0,
        np.where(struck, (lowest - 60) / 24.0, 0.0),
        np.where(struck, (highest - 60) / 24.0, 0.0),
        np.log2(longest + 0.25) + 2.0,
        np.where(struck, (loudest - usual) / 16.0, 0.0),
        struck & (bass <= _lowest_around(bass, 4)),
        struck & (bass <= _lowest_around(bass, 12)),
        *(_novelty(classes, width) for width in _NOVELTY_TICKS),
        *_fifths_apart(classes).T,
        np.minimum(longest, 4.0) / 2.0,
    ]
    return np.column_stack(columns).astype(np.float32)


def _lowest_around(values: Floats, reach: int) -> Floats:
    padded = np.pad(values, reach, constant_values=np.inf)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(1))


def _novelty(classes: Floats, width: int) -> Floats:
    """Return the cosine distance between the pitch classes of the next and last ``width`` ticks."""
    total = np.concatenate([np.zeros((1, 12)), classes.cumsum(0)])
    index = np.arange(len(classes))
    after = total[np.minimum(index + width, len(classes))] - total[index]
    before = total[index] - total[np.maximum(index - width, 0)]
    norms = np.linalg.norm(after, axis=1) * np.linalg.norm(before, axis=1)
    return np.asarray(1.0 - (after * before).sum(1) / np.maximum(norms, 1e-6))


def _fifths_apart(classes: Floats) -> Floats:
    """Return the pitch classes in the order of the circle of fifths, scaled to a maximum of 1."""
    turned = classes[:, (7 * np.arange(12)) % 12]
    shown: Floats = turned / np.maximum(turned.max(1, keepdims=True), 1e-6)
    return shown


@dataclass(frozen=True, slots=True)
class BarNetworkConfig:
    """Sizes.

    Attributes
    ----------
    width : int
        Channels.
    layers : int
        Residual blocks, with dilations 1, 2, 4, ... 64, 1, ...
    """

    width: int = 64
    layers: int = 8


class BarNetwork(Network):
    """The network, from features of eighths to log odds of bar lines and logits of metres."""

    config_class = BarNetworkConfig
    config: BarNetworkConfig

    def __init__(self, config: BarNetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or BarNetworkConfig()
        width = config.width
        self.first = nn.Conv1d(TICK_FEATURES, width, 5, padding=2)
        self.blocks = nn.ModuleList(DilatedBlock(width, 2 ** (i % 7)) for i in range(config.layers))
        self.last = nn.Conv1d(width, 1 + len(METRES), 1)

    def forward(self, ticks: Tensor) -> Tensor:
        """Return logits (B, T, 1 + len(METRES)) for features of ticks (B, T, TICK_FEATURES)."""
        hidden = self.first(ticks.transpose(1, 2))
        for block in self.blocks:
            hidden = block(hidden)
        logits: Tensor = self.last(hidden).transpose(1, 2)
        return logits


class DilatedBlock(nn.Module):
    """A residual block of two convolutions, the first dilated in time."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.wide = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.drop = nn.Dropout(0.1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the input, shape (B, width, T), plus what the convolutions make of it."""
        inner = nn.functional.gelu(self.wide(self.norm(hidden)))
        added: Tensor = self.drop(self.mix(inner))
        return hidden + added


class BarReader:
    """Runs the bar network.

    Parameters
    ----------
    weights : Path
        File with the weights of a :class:`BarNetwork`.
    """

    def __init__(self, weights: Path) -> None:
        self._network = load_network(weights, BarNetwork)

    def read(self, ticks: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Return log odds of a bar line, shape (T,), and log probabilities of the metres."""
        with torch.inference_mode():
            logits = self._network(torch.from_numpy(ticks[None]))[0]
            metre = nn.functional.log_softmax(logits[:, 1:], 1)
        return logits[:, 0].double().numpy(), metre.double().numpy()
