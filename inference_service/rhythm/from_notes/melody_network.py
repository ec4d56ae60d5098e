"""A network that scores bars in a melody whose written positions are known.

The melody lies on a grid of sixteenths, the ticks. For each tick, a dilated convolutional network
gives a potential to every place in a bar of every metre: how well the music fits there. The score
of a metre whose bars begin at certain ticks is the sum of the potentials along the melody, so that
all divisions into bars can be compared, in written values that are halved or doubled, too
(:mod:`.melody_bars`). Training maximises the probability of the written bars among all others
(``model_zoo/training/rhythm/melodies.py``).

What is heard of a melody is when its notes begin, how long they last, how they move, their degrees
in the key, and where rhythm or degrees repeat what was a likely bar length before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference_service.checkpoint import Network
from inference_service.rhythm.from_notes.bar_network import DilatedBlock
from inference_service.rhythm.from_notes.melody_location import FIRST_ROW, STEPS
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS

Floats = NDArray[np.float64]

QUARTER_TICKS: Final = 4
TICK_PARTS: Final = QUARTER_PARTS // QUARTER_TICKS
"""24ths of a quarter in a tick."""

BAR_TICKS: Final = tuple(4 * QUARTER_TICKS * beats // unit for beats, unit in METRES)
"""Length of a bar in each metre."""

FIRST_PLACE: Final = tuple(int(n) for n in np.concatenate([[0], np.cumsum(BAR_TICKS)[:-1]]))
"""Index of each metre's first place among the potentials."""

PLACES: Final = sum(BAR_TICKS)
"""Potentials of a tick: a place in a bar for each tick of each metre's bar."""

LAGS: Final = (4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Ticks after which a melody may repeat itself."""

_DEGREES: Final = 9
FEATURES: Final = _DEGREES + 12 + 2 * len(LAGS)
_ON_GRID: Final = 0.02


def describe_melody(
    positions: Floats, durations: Floats, pitch: NDArray[np.int64], tonic: int, count: int
) -> NDArray[np.float32]:
    """Return the features of ``count`` ticks, shape (FEATURES, count), float32.

    Parameters
    ----------
    positions : np.ndarray, shape (N,), N >= 1, ascending
        Where each note begins, in ticks from the first one; fractions lie off the grid.
    durations : np.ndarray, shape (N,)
        In ticks.
    pitch : np.ndarray of int, shape (N,)
    tonic : int
        Pitch class of the key's tonic.
    count : int
    """
    nearest = np.round(positions)
    on_grid = np.abs(positions - nearest) < _ON_GRID
    tick = np.where(on_grid, nearest, np.floor(positions + 1e-6)).astype(np.int64)
    tick = np.clip(tick, 0, count - 1)
    steps = np.diff(positions)
    moves = np.diff(pitch, prepend=pitch[:1])
    degrees = (pitch - tonic) % 12
    features = np.zeros((FEATURES, count), np.float32)
    features[0, tick[on_grid]] = 1.0
    features[1, tick[~on_grid]] = 1.0
    features[2, tick] = _scale_length(np.append(steps, durations[-1]))
    features[3, tick] = _scale_length(durations)
    features[4, tick] = _scale_length(np.append(durations[:1], steps))
    features[5, tick] = (pitch - pitch.mean()) / 6
    features[6, tick] = np.clip(moves, -12, 12) / 6
    features[7, tick] = np.clip(np.append(moves[1:], 0), -12, 12) / 6
    features[8] = 1.0
    features[_DEGREES + degrees, tick] = 1.0
    struck = features[0] > 0
    degree_at = np.full(count, -1)
    degree_at[tick] = degrees
    for index, lag in enumerate(LAGS):
        if lag < count:
            now, before = struck[lag:], struck[:-lag]
            both = now & before
            row = _DEGREES + 12 + 2 * index
            features[row, lag:] = both - 0.5 * (now != before)
            features[row + 1, lag:] = both & (degree_at[lag:] == degree_at[:-lag])
    return features


def _scale_length(ticks: Floats) -> Floats:
    """Return lengths on a logarithmic scale, a quarter to 64 ticks as 0.1 to 2."""
    return np.asarray(np.log2(np.clip(ticks, 0.25, 64) + 1) / 3, np.float64)


@dataclass(frozen=True, slots=True)
class MelodyBarNetworkConfig:
    """Size of the network.

    Attributes
    ----------
    width : int
        Channels.
    dilations : tuple of int
        Dilations of the residual blocks, whose convolutions span five ticks.
    """

    width: int = 64
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 4, 8)


class MelodyBarNetwork(Network):
    """The network; see the module.

    Attributes
    ----------
    metre_bias : Tensor, shape (len(METRES),)
        Added once to the score of a metre.
    opening : Tensor, shape (PLACES,)
        Log probability, given the metre, that the next bar begins 0, 1, 2, ... ticks after the
        first note of a melody; counted in the corpora.
    step : Tensor, shape (FIRST_ROW[-1], STEPS)
        Log probability of a step to the next note, given metre and place in the bar; counted
        likewise, for :func:`.melody_location.locate_melody`.
    beginning : Tensor, shape (FIRST_ROW[-1],)
        Log probability of the place of the first note, given the metre.
    """

    config_class = MelodyBarNetworkConfig
    config: MelodyBarNetworkConfig
    opening: Tensor
    step: Tensor
    beginning: Tensor

    def __init__(self, config: MelodyBarNetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MelodyBarNetworkConfig()
        self.first = nn.Conv1d(FEATURES, config.width, 5, padding=2)
        self.blocks = nn.ModuleList(DilatedBlock(config.width, d) for d in config.dilations)
        self.last = nn.Conv1d(config.width, PLACES, 1)
        self.gain = nn.Parameter(torch.tensor(0.05))
        self.metre_bias = nn.Parameter(torch.zeros(len(METRES)))
        self.register_buffer("opening", torch.zeros(PLACES))
        self.register_buffer("step", torch.zeros(FIRST_ROW[-1], STEPS))
        self.register_buffer("beginning", torch.zeros(FIRST_ROW[-1]))
        nn.init.normal_(self.last.weight, std=0.02)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, ticks: Tensor) -> Tensor:
        """Return potentials (B, PLACES, T) for features of ticks (B, FEATURES, T)."""
        hidden = self.first(ticks)
        for block in self.blocks:
            hidden = block(hidden)
        potentials: Tensor = self.last(hidden) * self.gain
        return potentials
