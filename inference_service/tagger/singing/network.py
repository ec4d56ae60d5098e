"""The network that predicts where sung notes begin, which frames sound, and at what pitch.

Convolutions bring the mel spectrogram and the contour of :mod:`.features` to one rate; a stack of
residual convolutions with growing dilation (a temporal convolutional network: Bai, Kolter
and Koltun, "An empirical evaluation of generic convolutional and recurrent networks for sequence
modeling", 2018) sees some seconds to either side. The network has no state: a frame's outputs
depend on the :attr:`SingingNetConfig.context_frames` frames to either side and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from torch import Tensor, nn

from inference_service.checkpoint import Network
from inference_service.tagger.singing.features import COLUMNS, CONTOUR_ROWS, SPECTROGRAM

_SPECTRUM_TAPS: Final = 5


@dataclass(frozen=True, slots=True)
class SingingNetConfig:
    """Sizes.

    Attributes
    ----------
    channels : int
        Channels of the dilated stack.
    kernel : int
        Taps of a dilated convolution, odd.
    doublings : int
        Layers of the stack, with dilations 1, 2, 4, ...
    dropout : float
    """

    channels: int = 96
    kernel: int = 5
    doublings: int = 7
    dropout: float = 0.1

    @property
    def context_frames(self) -> int:
        """The number of frames to either side that a frame's outputs depend on."""
        return 2 + (self.kernel // 2) * ((1 << self.doublings) - 1)


class Logits(NamedTuple):
    """The network's outputs for each frame: ``torch.Tensor, shape (B, T)``.

    Attributes
    ----------
    onset, sounding : Tensor
        Log odds.
    bend : Tensor
        Semitones from the contour's pitch to the note's own.
    """

    onset: Tensor
    sounding: Tensor
    bend: Tensor


class SingingNet(Network):
    """Spectrogram ``(B, F, 2 * T)`` and contour ``(B, R, T)`` to :class:`Logits`."""

    config_class = SingingNetConfig
    config: SingingNetConfig

    def __init__(self, config: SingingNetConfig) -> None:
        super().__init__()
        self.config = config
        bins = SPECTROGRAM.bins
        self.scale = nn.BatchNorm1d(bins)
        self.spectrum = nn.Conv1d(
            bins, config.channels, _SPECTRUM_TAPS, stride=COLUMNS, padding=_SPECTRUM_TAPS // 2
        )
        self.contour = nn.Sequential(
            nn.BatchNorm1d(CONTOUR_ROWS),
            nn.Conv1d(CONTOUR_ROWS, config.channels, 3, padding=1),
        )
        self.stack = nn.Sequential(
            *(_DilatedLayer(config, 2**power) for power in range(config.doublings))
        )
        self.head = nn.Conv1d(config.channels, len(Logits._fields), 1)

    def forward(self, spectrogram: Tensor, contour: Tensor) -> Logits:
        hidden = self.spectrum(self.scale(spectrogram)) + self.contour(contour)
        logits = self.head(nn.functional.relu(self.stack(hidden)))
        return Logits(*logits.unbind(1))


class _DilatedLayer(nn.Module):
    """A residual convolution with gaps between its taps."""

    def __init__(self, config: SingingNetConfig, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(config.channels),
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
