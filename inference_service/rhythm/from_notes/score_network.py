"""A network that reads written rhythm from performed notes.

Notes are encoded one by one and pooled into their attacks; a bidirectional recurrent network runs
along the attacks; linear heads tell, of each attack, where it stands and how the music is written,
and of each note, how long it is written, which hand plays it, and whether it is an ornament. The
design follows Liu, Kong, Morfi and Benetos, "Performance MIDI-to-score conversion by neural beat
tracking" (ISMIR 2022), with attacks in the place of notes and classes of written intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import torch
from torch import Tensor, nn

from inference_service.checkpoint import Network
from inference_service.rhythm.from_notes.attacks import ATTACK_FEATURES, NOTE_FEATURES

QUARTER_PARTS: Final = 24
PLACES: Final = (0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21)
"""Where in a quarter, in 24ths, an attack may stand."""

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
"""Written intervals and lengths in quarters; the last stands for all longer ones too."""

TEMPO_BINS: Final = 40
SLOWEST_LOG2_S: Final = 2.0
FASTEST_LOG2_S: Final = -3.0
"""Seconds a quarter, in octaves: from 0.125 s to 4 s."""

METRES: Final = ((2, 4), (3, 4), (4, 4), (6, 8), (3, 8), (9, 8), (12, 8))
FIFTHS: Final = tuple(range(-7, 8))


@dataclass(frozen=True, slots=True)
class Logits:
    """What the network says of A attacks and N notes; all unnormalised.

    Attributes
    ----------
    place : Tensor, shape (A, len(PLACES))
    interval : Tensor, shape (A, len(INTERVALS))
        Written interval to the next attack that is no ornament.
    tempo : Tensor, shape (A, TEMPO_BINS)
    beat, downbeat : Tensor, shape (A,)
    metre : Tensor, shape (A, len(METRES))
    fifths : Tensor, shape (A, len(FIFTHS))
    length : Tensor, shape (N, len(INTERVALS))
    hand, extra : Tensor, shape (N,)
        Of the lower staff; of a grace, an ornament's or a wrong note.
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
        Of the recurrent state in each direction.
    layers : int
        Recurrent layers.
    note_width : int
        Of an encoded note.
    """

    width: int = 128
    layers: int = 2
    note_width: int = 64


class ScoreNetwork(Network):
    """Features of attacks and notes to :class:`Logits`."""

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
        """Read sequences of attacks.

        Parameters
        ----------
        attacks : Tensor, shape (B, A, ATTACK_FEATURES)
        notes : Tensor, shape (N, NOTE_FEATURES)
            The notes of all sequences, one after the other.
        index : Tensor of int64, shape (N,)
            Each note's place in the flattened (B * A) attacks.

        Returns
        -------
        Logits
            Of B * A attacks and N notes.
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
        read = {name: head(context) for name, head in self.heads.items()}
        said = {name: head(own) for name, head in self.note_heads.items()}
        return Logits(
            place=read["place"],
            interval=read["interval"],
            tempo=read["tempo"],
            beat=read["beat"].squeeze(1),
            downbeat=read["downbeat"].squeeze(1),
            metre=read["metre"],
            fifths=read["fifths"],
            length=said["length"],
            hand=said["hand"].squeeze(1),
            extra=said["extra"].squeeze(1),
        )
