"""The network that tells where sung notes begin, which frames sound, and at what pitch.

The mel spectrogram and the contour of :mod:`.features` are summed up frame by frame; a
stack of residual convolutions with growing dilation (a temporal convolutional network: Bai, Kolter
and Koltun, "An empirical evaluation of generic convolutional and recurrent networks for sequence
modeling", 2018) hears some seconds to either side. No state: a frame's outputs depend on
:attr:`SingingNetConfig.context_frames` about it and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from inference_service.tagger.singing.features import COLUMNS, CONTOUR_ROWS, SPECTROGRAM

CONFIG_KEY: Final = "config"
_STEM_TAPS: Final = 5


@dataclass(frozen=True, slots=True)
class SingingNetConfig:
    """Sizes.

    Attributes
    ----------
    channels : int
        Of the dilated stack.
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
        """How many frames to either side a frame's outputs depend on."""
        return 2 + (self.kernel // 2) * ((1 << self.doublings) - 1)


class Logits(NamedTuple):
    """What the network tells of each frame: ``torch.Tensor, shape (B, T)``.

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


class SingingNet(nn.Module):
    """Spectrogram ``(B, F, 2 * T)`` and contour ``(B, R, T)`` to :class:`Logits`."""

    def __init__(self, config: SingingNetConfig) -> None:
        super().__init__()
        self.config = config
        bins = SPECTROGRAM.bins
        self.scale = nn.BatchNorm1d(bins)
        self.spectrum = nn.Conv1d(
            bins, config.channels, _STEM_TAPS, stride=COLUMNS, padding=_STEM_TAPS // 2
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
        heard = self.spectrum(self.scale(spectrogram)) + self.contour(contour)
        told = self.head(nn.functional.relu(self.stack(heard)))
        return Logits(*told.unbind(1))


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


def save_network(network: SingingNet, path: Path, notes: dict[str, str]) -> None:
    """Write weights and sizes, with ``notes`` for readers, as safetensors."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, path, {CONFIG_KEY: json.dumps(asdict(network.config)), **notes})


def load_network(path: Path, device: str = "cpu") -> SingingNet:
    """Read what :func:`save_network` wrote, ready to run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    with safe_open(path, framework="pt", device=device) as file:
        config = SingingNetConfig(**json.loads(file.metadata()[CONFIG_KEY]))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    network = SingingNet(config)
    network.load_state_dict(tensors)
    return network.to(device).eval()


def read_notes(path: Path) -> dict[str, str]:
    """Return what a weights' file says of itself, sizes included."""
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())
