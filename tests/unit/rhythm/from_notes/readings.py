"""Music to read, and outputs of imagined networks: certain and right, or knowing nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment, NoteEvent
from inference_service.rhythm.from_notes.attacks import find_attacks
from inference_service.rhythm.from_notes.score_network import (
    FASTEST_LOG2_S,
    FIFTHS,
    INTERVALS,
    METRES,
    PLACES,
    QUARTER_PARTS,
    SLOWEST_LOG2_S,
    TEMPO_BINS,
)
from inference_service.rhythm.from_notes.score_reader import Reading
from inference_service.rhythm.from_notes.second_opinion import Opinion

SURE = 6.0
"""Log odds that the certain network gives to what is right."""


class FixedReader:
    """A reader that returns the same reading for any notes."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def read(self, notes: Sequence[NoteEvent], quarter_s: float | None = None) -> Reading:
        """Return the reading given at construction."""
        return self._reading


class BlankReader:
    """A reader without an opinion: its probabilities are uniform."""

    def read(self, notes: Sequence[NoteEvent], quarter_s: float | None = None) -> Reading:
        """Return uniform probabilities, and no ornaments."""
        return build_blank(notes)


@dataclass
class FixedEar:
    """Has the same opinion on everything, that is, none by default."""

    opinion: Opinion = field(default_factory=lambda: Opinion(None, np.zeros(0, np.float32)))

    def hear(self, notes: Sequence[NoteEvent], chords: Sequence[ChordSegment]) -> Opinion:
        """Return the opinion."""
        return self.opinion


class IdealBars:
    """A reader that predicts a bar line every ``bar_q`` quarters, one of them at ``line_q``.

    Quarters are counted from the one in which the music begins.
    """

    def __init__(self, bar_q: float, metre: tuple[int, int], line_q: float = 0.0) -> None:
        self._bar_q, self._metre, self._line_q = bar_q, metre, line_q

    def read(self, ticks: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return log odds of a bar line and log probabilities of metres for each eighth."""
        eighths_q = np.arange(len(ticks)) / 2 - self._line_q
        odds = np.where(np.isclose(eighths_q % self._bar_q, 0.0), SURE, -SURE)
        return odds, sure([METRES.index(self._metre)] * len(ticks), len(METRES))


def build_blank(notes: Sequence[NoteEvent], **known: Any) -> Reading:
    """Uniform probabilities except in the fields given."""
    attacks = find_attacks(np.array([n.onset_s for n in notes]))
    count = len(attacks.onset_s)
    fields: dict[str, Any] = {
        "place": even(count, len(PLACES)),
        "interval": even(count, len(INTERVALS)),
        "tempo": even(count, TEMPO_BINS),
        "metre": even(count, len(METRES)),
        "fifths": even(count, len(FIFTHS)),
        "beat": np.zeros(count),
        "downbeat": np.zeros(count),
        "length": even(len(notes), len(INTERVALS)),
        "hand": np.full(len(notes), -1.0),
        "extra": np.full(len(notes), -1.0),
    }
    return Reading(attacks=attacks, **(fields | known))


@dataclass(frozen=True)
class Written:
    """Positions of the attacks of a line of music, in quarters from a bar line before them."""

    starts_q: Sequence[Fraction | float]
    bar_q: float
    metre: tuple[int, int]

    @property
    def parts(self) -> NDArray[np.int64]:
        """Positions in 24ths of a quarter."""
        return np.array([round(q * QUARTER_PARTS) for q in self.starts_q])


def read_ideally(
    music: Written, onset_s: NDArray[np.float64], chord: Sequence[int] = (60,), **known: Any
) -> Reading:
    """The certain network's reading of chords played at ``onset_s``, shape (A,)."""
    notes = [NoteEvent(t, t + 0.2, pitch) for t in onset_s.tolist() for pitch in chord]
    starts = np.array([float(q) for q in music.starts_q])
    return build_blank(
        notes,
        **{
            "place": sure([PLACES.index(p) for p in music.parts % QUARTER_PARTS], len(PLACES)),
            "interval": sure(classify(np.append(np.diff(starts), 1.0)), len(INTERVALS)),
            "tempo": sure(bin_tempi(starts, onset_s), TEMPO_BINS),
            "metre": sure([METRES.index(music.metre)] * len(starts), len(METRES)),
            "downbeat": np.where(np.isclose(starts % music.bar_q, 0.0), SURE, -SURE),
            **known,
        },
    )


def even(count: int, classes: int) -> NDArray[np.float64]:
    """Uniform log probabilities, shape (count, classes)."""
    return np.full((count, classes), -np.log(classes))


def sure(right: Sequence[int] | NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Log probabilities, shape (len(right), classes), that favour the classes in ``right``."""
    odds = SURE * np.eye(classes)[np.asarray(right, np.int64)]
    return np.asarray(odds - np.log(np.exp(odds).sum(axis=1, keepdims=True)))


def classify(quarters: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the class whose interval is nearest."""
    values = np.array([float(f) for f in INTERVALS])
    return np.asarray(np.abs(quarters[:, None] - values[None, :]).argmin(axis=1))


def bin_tempi(starts_q: NDArray[np.float64], onset_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the bin for the duration of a quarter, in seconds, at each attack."""
    quarter_s = np.gradient(onset_s, starts_q) if len(starts_q) > 1 else np.array([0.5])
    step = (SLOWEST_LOG2_S - FASTEST_LOG2_S) / (TEMPO_BINS - 1)
    bins = np.rint((np.log2(quarter_s) - FASTEST_LOG2_S) / step)
    return np.asarray(np.clip(bins, 0, TEMPO_BINS - 1).astype(np.int64))


def accompany(bars: int, quarter_s: float) -> list[NoteEvent]:
    """A melody over a bass on the first and third of four beats, and chords on the others."""
    notes = []
    for bar in range(bars):
        root = (48, 45, 41, 43)[bar % 4]
        for beat in range(4):
            start_s = (4 * bar + beat) * quarter_s
            below = (root - 12,) if beat % 2 == 0 else (root + 12, root + 16, root + 19)
            notes += [NoteEvent(start_s, start_s + 0.9 * quarter_s, pitch, 70) for pitch in below]
        for place, length in ((0.0, 1.5), (1.5, 0.5), (2.0, 1.0), (3.0, 1.0)):
            start_s = (4 * bar + place) * quarter_s
            pitch = root + 24 + int(4 * place) % 7
            notes.append(NoteEvent(start_s, start_s + 0.95 * length * quarter_s, pitch, 95))
    return sorted(notes)
