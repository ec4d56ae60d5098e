"""Which family of instruments plays a note, told by its partials.

On the logarithmic scale of the spectrogram, the partials of a note lie at the same distances above
its pitch, whatever the pitch. The network sees the levels of some of them, in three bins each, from
shortly before the note until half a second later, and when the note sounds. Convolutions over time
follow, then the mean over the time in which it sounds, and the maximum over all of it.

Where several play at once, partials coincide; a single note is then told less surely than all notes
of a line together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.audio.spectrogram import (
    LogCompression,
    SpectrogramConfig,
    build_spectrogram,
)
from inference_service.audio.waveform import Samples
from inference_service.checkpoint import Network
from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.network import (
    BINS_PER_SEMITONE,
    LOWEST_PITCH,
    divide_semitones,
)

Levels = NDArray[np.float32]

PARTIALS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16)
FRAMES_BEFORE: Final = 2
FRAMES_AFTER: Final = 28
FRAMES: Final = FRAMES_BEFORE + FRAMES_AFTER
"""Of a note, before and after it begins."""

_BINS: Final = (
    np.round(12 * BINS_PER_SEMITONE * np.log2(PARTIALS)).astype(int)[:, None] + np.arange(-1, 2)
).ravel()
"""Distances of the partials' bins from that of the pitch."""

LEVELS: Final = len(_BINS)
_STRETCH_S: Final = 20.0
"""Length of what is computed at once."""

_MARGIN_S: Final = 0.7
"""Before and after it: half a second of a note, and half of the longest kernel."""

_MIDDLE_PITCH: Final = 60
_PITCH_SCALE: Final = 20.0


@dataclass(frozen=True, slots=True)
class TimbreNetConfig:
    """Configuration of the network.

    Attributes
    ----------
    sample_rate_hz : int
    hop_s : float
        Distance of frames.
    gamma_hz : float
        Additional bandwidth of the spectrogram's bands over constant-Q ones.
    floor : float
        Magnitude below which the spectrogram's scale is linear.
    width : int
        Channels of the convolutions.
    """

    sample_rate_hz: int = 22_050
    hop_s: float = 0.02
    gamma_hz: float = 6.0
    floor: float = 5e-4
    width: int = 96

    @property
    def spectrogram(self) -> SpectrogramConfig:
        """The spectrogram, divided as the note network's."""
        return divide_semitones(self.sample_rate_hz, self.hop_s, self.gamma_hz)


class TimbreNet(Network):
    """The network; see the module."""

    config_class = TimbreNetConfig
    config: TimbreNetConfig

    def __init__(self, config: TimbreNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TimbreNetConfig()
        self.spectrogram = build_spectrogram(config.spectrogram)
        self.compression = LogCompression(config.floor)
        width = config.width
        self.first = nn.Conv1d(LEVELS + 2, width, 5, padding=2)
        self.second = nn.Conv1d(width, width, 5, 2, 2)
        self.third = nn.Conv1d(width, width, 3, 2, 1)
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Sequential(
            nn.Linear(2 * width + 1, width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, len(FAMILIES)),
        )

    def forward(self, levels: Tensor, sounding: Tensor, pitch: Tensor) -> Tensor:
        """Return log odds of the families, shape (N, len(FAMILIES)).

        Parameters
        ----------
        levels : Tensor, shape (N, FRAMES, LEVELS)
        sounding : Tensor, shape (N, FRAMES), 0 or 1
        pitch : Tensor, shape (N,)
            MIDI numbers.
        """
        sounds = sounding[:, None]
        mean = levels.mean(2)[:, None]
        usual = (mean * sounds).sum(2, keepdim=True) / sounds.sum(2, keepdim=True).clamp(min=1)
        seen = torch.cat([levels.transpose(1, 2) - usual, mean - usual, sounds], 1)
        hidden = F.relu(self.first(seen))
        hidden = F.relu(self.second(self.dropout(hidden)))
        hidden = F.relu(self.third(hidden))
        weight = F.adaptive_max_pool1d(sounds, hidden.shape[2])
        held = (hidden * weight).sum(2) / weight.sum(2).clamp(min=1)
        height = (pitch[:, None] - _MIDDLE_PITCH) / _PITCH_SCALE
        odds: Tensor = self.last(torch.cat([held, hidden.amax(2), height], 1))
        return odds

    def compute_levels(self, samples: Tensor) -> Tensor:
        """Return the spectrogram's levels, shape (bins, T), of samples (N,)."""
        levels: Tensor = self.compression(self.spectrogram(samples[None]))[0]
        return levels


class Partials(NamedTuple):
    """What the network sees of N notes.

    Attributes
    ----------
    levels : np.ndarray, shape (N, FRAMES, LEVELS), float32
        Of the partials' bins; 0 outside the recording and its spectrogram.
    sounding : np.ndarray, shape (N, FRAMES), float32
        1 where the note sounds, else 0.
    pitch : np.ndarray, shape (N,), float32
    """

    levels: Levels
    sounding: Levels
    pitch: Levels


def find_partials(spectrum: Levels, notes: NDArray[np.float64], frame_rate_hz: float) -> Partials:
    """Return the partials of notes.

    Parameters
    ----------
    spectrum : np.ndarray, shape (bins, T), float32
        By :meth:`TimbreNet.compute_levels`.
    notes : np.ndarray, shape (N, 3)
        Onset and offset in seconds from the first frame, sounding pitch.
    frame_rate_hz : float
    """
    bins, length = spectrum.shape
    onset, offset = notes[:, 0] * frame_rate_hz, notes[:, 1] * frame_rate_hz
    first = np.round(onset)[:, None]
    frame = first.astype(int) + np.arange(-FRAMES_BEFORE, FRAMES_AFTER)
    middle = np.round((notes[:, 2] - LOWEST_PITCH) * BINS_PER_SEMITONE + 1).astype(int)
    bin_ = middle[:, None] + _BINS
    is_in_time, is_in_range = (frame >= 0) & (frame < length), (bin_ >= 0) & (bin_ < bins)
    is_there = is_in_time[:, :, None] & is_in_range[:, None]
    levels = spectrum[
        np.clip(bin_, 0, bins - 1)[:, None], np.clip(frame, 0, length - 1)[:, :, None]
    ]
    # A note sounds for two frames at least.
    sounding = (frame >= first) & (frame < np.maximum(offset, onset + 2)[:, None])
    return Partials(
        np.where(is_there, levels, 0.0).astype(np.float32),
        sounding.astype(np.float32),
        notes[:, 2].astype(np.float32),
    )


def rate_families(
    network: TimbreNet, samples: Samples, notes: Sequence[NoteEvent], device: str = "cpu"
) -> Levels:
    """Return the probability of each family for each note, shape (N, len(FAMILIES)), float32.

    The spectrogram is computed in stretches, so memory grows with the notes alone.

    Parameters
    ----------
    network : TimbreNet
        In evaluation mode, on ``device``.
    samples : np.ndarray, shape (M,), float32
        At the network's rate.
    notes : sequence of NoteEvent
        In any order.
    device : str
    """
    config = network.config.spectrogram
    rows = np.array(
        [(n.onset_s, n.offset_s, n.pitch + n.pitch_cents / 100) for n in notes], float
    ).reshape(-1, 3)
    rated = np.zeros((len(rows), len(FAMILIES)), np.float32)
    stretch = rows[:, 0] // _STRETCH_S
    for number in np.unique(stretch):
        own = np.flatnonzero(stretch == number)
        # Sounds from beyond the stretch reach into its first and last frames.
        first = round((number * _STRETCH_S - _MARGIN_S) * config.frame_rate_hz)
        last = round(((number + 1) * _STRETCH_S + _MARGIN_S) * config.frame_rate_hz)
        piece = samples[max(first, 0) * config.hop_samples : last * config.hop_samples]
        begin_s = max(first, 0) / config.frame_rate_hz
        with torch.inference_mode():
            levels = network.compute_levels(torch.from_numpy(piece).to(device)).cpu().numpy()
            moved = rows[own] - (begin_s, begin_s, 0.0)
            seen = find_partials(levels, moved, config.frame_rate_hz)
            odds = network(*(torch.from_numpy(array).to(device) for array in seen))
            rated[own] = torch.softmax(odds, 1).cpu().numpy()
    return rated
