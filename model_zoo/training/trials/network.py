"""A small note network with an exchangeable part for context over time.

From logarithmic spectra at three points per semitone to log odds of onsets and of sounding notes: a
convolutional front end, harmonic mixing as in :mod:`inference_service.tagger.notes.network`, and a
residual convolution. In parallel, all pitches of a frame, reduced to one vector, go through a
*context*:

cnn
    dilated convolutions over time, which reach 0.3 s to either side;
crnn
    a bidirectional GRU;
transformer
    layers of attention over all frames, with a learnt bias for the distance between frames.

The context's output is added at every pitch. The three have the same number of parameters within a
few per cent; the GRU's steps take 40 % longer (experiment 006).
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.tagger.notes.network import HARMONICS, PITCHES, RARE_LOGIT, SEMITONES
from model_zoo.training.trials.spectra import BINS

Context = Literal["cnn", "crnn", "transformer"]
CONTEXTS: Final[tuple[Context, ...]] = ("cnn", "crnn", "transformer")

FRONT_END_CHANNELS: Final = 8
CHANNELS: Final = 16
NARROW: Final = 4
WIDTH: Final = 96
GRU_WIDTH: Final = 68
DILATIONS: Final = (1, 2, 4)
HEADS: Final = 4
LAYERS: Final = 2
FEED_FORWARD: Final = 24
FARTHEST_FRAMES: Final = 64


class TrialNet(nn.Module):
    """Spectra ``(B, 309, T)`` to log odds of onsets and of sounding notes, each ``(B, T, 88)``."""

    def __init__(self, context: Context = "cnn") -> None:
        super().__init__()
        self.scale = nn.BatchNorm1d(BINS)
        self.front_end = nn.Sequential(
            nn.Conv2d(1, FRONT_END_CHANNELS, (3, 5), padding=(1, 2)),
            nn.ReLU(),
            nn.Conv2d(FRONT_END_CHANNELS, CHANNELS, (3, 3), (1, 3), (1, 0)),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(),
        )
        self.harmonics = nn.ModuleList(
            nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False) for _ in HARMONICS
        )
        self.norm = nn.BatchNorm2d(CHANNELS)
        self.near = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, (3, 1), padding=(1, 0)),
        )
        self.narrow = nn.Conv2d(CHANNELS, NARROW, 1)
        self.enter = nn.Linear(PITCHES * NARROW, WIDTH)
        self.context = _CONTEXTS[context]()
        self.leave = nn.Linear(WIDTH, PITCHES * NARROW)
        self.widen = nn.Conv2d(NARROW, CHANNELS, 1)
        self.heads = nn.Conv2d(CHANNELS, 2, (3, 1), padding=(1, 0))
        nn.init.constant_(self.heads.bias, RARE_LOGIT)  # type: ignore[arg-type]

    def forward(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        semitones = self.front_end(self.scale(spectra).transpose(1, 2).unsqueeze(1))
        above = max(HARMONICS) + PITCHES - SEMITONES
        padded = F.pad(semitones, (-min(HARMONICS), above))
        starts = [harmonic - min(HARMONICS) for harmonic in HARMONICS]
        mixed = torch.stack([
            mix(padded[..., start : start + PITCHES])
            for mix, start in zip(self.harmonics, starts, strict=True)
        ]).sum(0)  # fmt: skip
        pitches = F.relu(self.norm(mixed))
        pitches = pitches + self.near(pitches)
        batch, _, frames, _ = pitches.shape
        whole = self.narrow(pitches).permute(0, 2, 1, 3).reshape(batch, frames, -1)
        context = self.leave(self.context(self.enter(F.relu(whole))))
        context = context.reshape(batch, frames, NARROW, PITCHES).permute(0, 2, 1, 3)
        onset, frame = self.heads(F.relu(pitches + self.widen(context))).unbind(1)
        return onset, frame


class _Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, 3, padding=dilation, dilation=dilation)
            for dilation in DILATIONS
        )
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in DILATIONS)

    def forward(self, frames: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            frames = frames + F.relu(layer(norm(frames).transpose(1, 2))).transpose(1, 2)
        return frames


class _Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.layer = nn.GRU(WIDTH, GRU_WIDTH, batch_first=True, bidirectional=True)
        self.leave = nn.Linear(2 * GRU_WIDTH, WIDTH)

    def forward(self, frames: Tensor) -> Tensor:
        hidden, _ = self.layer(self.norm(frames))
        result: Tensor = frames + self.leave(hidden)
        return result


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_AttentionLayer() for _ in range(LAYERS))

    def forward(self, frames: Tensor) -> Tensor:
        for layer in self.layers:
            frames = layer(frames)
        return frames


class _AttentionLayer(nn.Module):
    """Attention with a learnt bias for the distance of two frames, and a feed-forward layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.project = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.leave = nn.Linear(WIDTH, WIDTH)
        self.apart = nn.Parameter(torch.zeros(HEADS, 2 * FARTHEST_FRAMES + 1))
        self.alone = nn.Sequential(
            nn.Linear(WIDTH, FEED_FORWARD), nn.ReLU(), nn.Linear(FEED_FORWARD, WIDTH)
        )

    def forward(self, frames: Tensor) -> Tensor:
        batch, count, width = frames.shape
        projected = self.project(self.norms[0](frames))
        query, key, value = projected.reshape(batch, count, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        places = torch.arange(count, device=frames.device)
        distance = (places[:, None] - places).clamp(-FARTHEST_FRAMES, FARTHEST_FRAMES)
        likeness = query @ key.transpose(-2, -1) * (width // HEADS) ** -0.5
        weights = (likeness + self.apart[:, distance + FARTHEST_FRAMES]).softmax(-1)
        heard = self.leave((weights @ value).transpose(1, 2).reshape(batch, count, width))
        frames = frames + heard
        result: Tensor = frames + self.alone(self.norms[1](frames))
        return result


_CONTEXTS: Final = {"cnn": _Convolutions, "crnn": _Recurrent, "transformer": _Attention}


def count_parameters(network: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
