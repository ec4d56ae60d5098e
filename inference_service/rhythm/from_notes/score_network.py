"""A network that predicts written rhythm from performed notes.

Notes are encoded one by one and pooled into attacks, and a bidirectional recurrent network runs
along the attacks. Linear heads predict for each attack its position, tempo, metre and key, and for
each note its written duration, its hand, and whether it is an ornament. The design follows Liu,
Kong, Morfi and Benetos, "Performance MIDI-to-score conversion by neural beat tracking" (ISMIR
2022), but works on attacks instead of notes, and predicts classes of written intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from inference_service.checkpoint import Network
from inference_service.rhythm.from_notes.attacks import ATTACK_FEATURES, NOTE_FEATURES

QUARTER_PARTS: Final = 24
PLACES: Final = (0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21)
"""Possible positions of an attack within a quarter note, in 24ths of it."""

INTERVALS: Final = tuple(
    Fraction(text)
    for text in [
        "0",
        "1/8",
        "1/6",
        "1/4",
        "1/3",
        "3/8",
        "1/2",
        "2/3",
        "3/4",
        "1",
        "5/4",
        "4/3",
        "3/2",
        "7/4",
        "2",
        "5/2",
        "3",
        "4",
        "6",
    ]
)
"""Classes of written intervals and durations in quarter notes; the last includes longer ones."""

TEMPO_BINS: Final = 40
SLOWEST_LOG2_S: Final = 2.0
FASTEST_LOG2_S: Final = -3.0
"""Range of tempi in octaves of seconds per quarter: from 0.125 s to 4 s."""

TEMPO_BIN_OCTAVES: Final = (SLOWEST_LOG2_S - FASTEST_LOG2_S) / (TEMPO_BINS - 1)
TEMPI_LOG2_S: Final = FASTEST_LOG2_S + TEMPO_BIN_OCTAVES * np.arange(TEMPO_BINS)

METRES: Final = ((2, 4), (3, 4), (4, 4), (6, 8), (3, 8), (9, 8), (12, 8))
FIFTHS: Final = tuple(range(-7, 8))


@dataclass(frozen=True, slots=True)
class Logits:
    """The network's outputs for A attacks and N notes, unnormalised.

    Attributes
    ----------
    place : Tensor, shape (A, len(PLACES))
    interval : Tensor, shape (A, len(INTERVALS))
        Written interval to the next attack that is not an ornament.
    tempo : Tensor, shape (A, TEMPO_BINS)
    beat, downbeat : Tensor, shape (A,)
    metre : Tensor, shape (A, len(METRES))
    fifths : Tensor, shape (A, len(FIFTHS))
    length : Tensor, shape (N, len(INTERVALS))
    hand, extra : Tensor, shape (N,)
        Log odds of the lower hand, and of a grace note, an ornament or a wrong note.
    """

    place: Tensor
    interval: Tensor
    tempo: Tensor
    beat: Tensor
    downbeat: Tensor
    metre: Tensor
    fifths: Tensor
    length: Tensor
    hand: Tensor
    extra: Tensor


@dataclass(frozen=True, slots=True)
class ScoreNetworkConfig:
    """Sizes.

    Attributes
    ----------
    width : int
        Size of the recurrent state in each direction.
    layers : int
        Number of recurrent layers.
    note_width : int
        Size of an encoded note.
    """

    width: int = 128
    layers: int = 2
    note_width: int = 64


class ScoreNetwork(Network):
    """The network, from features of attacks and notes to :class:`Logits`."""

    config_class = ScoreNetworkConfig
    config: ScoreNetworkConfig

    def __init__(self, config: ScoreNetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ScoreNetworkConfig()
        width, note_width = config.width, config.note_width
        self.notes = nn.Sequential(
            nn.Linear(NOTE_FEATURES, note_width),
            nn.GELU(),
            nn.Linear(note_width, note_width),
            nn.GELU(),
        )
        self.attacks = nn.Sequential(
            nn.Linear(ATTACK_FEATURES + 2 * note_width, 2 * width), nn.LayerNorm(2 * width)
        )
        self.sequence = nn.GRU(
            2 * width, width, config.layers, batch_first=True, bidirectional=True, dropout=0.1
        )
        self.heads = nn.ModuleDict(
            {
                name: nn.Linear(2 * width, size)
                for name, size in {
                    "place": len(PLACES),
                    "interval": len(INTERVALS),
                    "tempo": TEMPO_BINS,
                    "beat": 1,
                    "downbeat": 1,
                    "metre": len(METRES),
                    "fifths": len(FIFTHS),
                }.items()
            }
        )
        self.note_context = nn.Linear(2 * width, 96)
        self.note_own = nn.Linear(note_width + NOTE_FEATURES, 96)
        self.note_heads = nn.ModuleDict(
            {
                "length": nn.Linear(96, len(INTERVALS)),
                "hand": nn.Linear(96, 1),
                "extra": nn.Linear(96, 1),
            }
        )

    def forward(self, attacks: Tensor, notes: Tensor, index: Tensor) -> Logits:
        """Return the outputs for sequences of attacks.

        Parameters
        ----------
        attacks : Tensor, shape (B, A, ATTACK_FEATURES)
        notes : Tensor, shape (N, NOTE_FEATURES)
            Notes of all sequences, concatenated.
        index : Tensor of int64, shape (N,)
            Index of each note's attack among the flattened (B * A) attacks.

        Returns
        -------
        Logits
            For B * A attacks and N notes.
        """
        batch, length, _ = attacks.shape
        encoded = self.notes(notes)
        total = encoded.new_zeros(batch * length, encoded.shape[1])
        pooled = total.index_add(0, index, encoded)
        peak = total.scatter_reduce(0, index[:, None].expand_as(encoded), encoded, "amax")
        joined = torch.cat(
            [attacks, pooled.view(batch, length, -1), peak.view(batch, length, -1)], 2
        )
        context, _ = self.sequence(self.attacks(joined))
        context = context.reshape(batch * length, -1)
        own = self.note_own(torch.cat([encoded, notes], 1)) + self.note_context(context)[index]
        own = nn.functional.gelu(own)
        of_attacks = {name: head(context) for name, head in self.heads.items()}
        of_notes = {name: head(own) for name, head in self.note_heads.items()}
        return Logits(
            place=of_attacks["place"],
            interval=of_attacks["interval"],
            tempo=of_attacks["tempo"],
            beat=of_attacks["beat"].squeeze(1),
            downbeat=of_attacks["downbeat"].squeeze(1),
            metre=of_attacks["metre"],
            fifths=of_attacks["fifths"],
            length=of_notes["length"],
            hand=of_notes["hand"].squeeze(1),
            extra=of_notes["extra"].squeeze(1),
        )
