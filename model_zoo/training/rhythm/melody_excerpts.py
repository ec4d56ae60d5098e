"""Excerpts of melodies with simulated errors, from which the melody bar network learns.

The faults of melodies that were heard and located are simulated: lost notes, wrong pitches,
positions and keys, notes that end early, pauses between phrases that are too long or too short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.melody_bars import LONGEST_END_TICKS, PAUSE_TICKS, SCALES
from inference_service.rhythm.from_notes.melody_network import (
    FIRST_PLACE,
    QUARTER_TICKS,
    describe_melody,
)
from model_zoo.training.rhythm.barred import (
    CHOPIN,
    MIN_NOTES,
    MUTOPIA,
    POLISH,
    POP909,
    QUARTETS,
    SONGS,
    TUNES,
    BarredMelody,
    floor_to_tick,
)

T = TypeVar("T")

METRE_SHARES: Final = (0.2, 0.22, 0.3, 0.14, 0.04, 0.04, 0.06)
"""Share of the examples that each metre is drawn for."""

CORPUS_SHARES: Final = {
    SONGS: 0.5, POLISH: 0.2, TUNES: 0.1, MUTOPIA: 0.08, QUARTETS: 0.04, CHOPIN: 0.04, POP909: 0.04
}  # fmt: skip
"""Share of each corpus among the examples of a metre, where all have melodies in it."""

LAST_BARS: Final = 4
"""Excerpts begin at least this many bars before the last note."""

LONGEST_TICKS: Final = 1536
"""Longest excerpt in doubled values: 32 bars of the longest metre."""

_RELATED_KEYS: Final = (-3, 3, 5, 7)
_BROKEN_PAUSES: Final = 0.2
_BREAK_TICKS: Final = (-2, -1, 1, 2, 2, 4)
_LOST: Final = (0.0, 0.03, 0.08)
_WRONG_PITCH: Final = 0.03
_MISPLACED: Final = 0.03

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Excerpts:
    """How excerpts are drawn.

    Attributes
    ----------
    bars : tuple of int
        Least and largest number of bars.
    from_beginning, from_phrase : float
        Probabilities that an excerpt begins where the melody does, and after a rest or a long note;
        others begin anywhere.
    breaks : float
        Probability that some pauses between phrases are too long or too short.
    wrong_key : float
        Probability that the key is estimated as one that is related to it.
    """

    bars: tuple[int, int]
    from_beginning: float
    from_phrase: float = 0.0
    breaks: float = 0.0
    wrong_key: float = 0.0


LEARNT_FROM: Final = Excerpts((8, 24), 0.4, 0.3, 0.25, 0.08)
HELD_OUT: Final = Excerpts((8, 32), 0.4)


@dataclass(frozen=True, slots=True)
class Example:
    """An excerpt of a melody.

    Attributes
    ----------
    features : tuple of np.ndarray, each of shape (FEATURES, T)
        As :func:`.describe_melody` returns them, for each of SCALES or for the first.
    target : int
        Index of the written reading among the scores of :func:`score_readings`.
    shifts : np.ndarray of int, shape (T,)
        By how many ticks bars begin later than they are written, as of each tick; 0 unless pauses
        are too long or too short.
    """

    features: tuple[NDArray[np.float32], ...]
    target: int
    shifts: NDArray[np.int64]

    @property
    def is_steady(self) -> bool:
        """Whether the written bars are all of one length."""
        return not self.shifts.any()


def draw_example(
    melody: BarredMelody, rng: Generator, excerpts: Excerpts = HELD_OUT
) -> Example | None:
    """Return an excerpt with simulated errors; None if it is too short or too long."""
    onset_q = melody.onset_q
    bars_q = int(rng.integers(excerpts.bars[0], excerpts.bars[1] + 1)) * melody.bar_q
    begin_q = _draw_beginning(melody, rng, excerpts)
    inside = (onset_q >= begin_q) & (onset_q < begin_q + bars_q)
    if inside.sum() < MIN_NOTES:
        return None
    onset_q, duration_q, pitch = _corrupt(
        onset_q[inside], melody.duration_q[inside], melody.pitch[inside], rng
    )
    target = FIRST_PLACE[melody.metre] + melody.find_phase(onset_q[0])
    moves = np.zeros(len(onset_q), np.int64)
    if excerpts.breaks and rng.random() < excerpts.breaks:
        moves = _draw_breaks(onset_q, rng)
    positions_q = onset_q - floor_to_tick(onset_q[0]) + np.cumsum(moves) / QUARTER_TICKS
    tonic = melody.tonic
    if excerpts.wrong_key and rng.random() < excerpts.wrong_key:
        tonic = (tonic + int(rng.choice(_RELATED_KEYS))) % 12
    features = []
    scales = SCALES if melody.corpus == SONGS and not moves.any() else SCALES[:1]
    for scale in scales:
        positions, durations = (v * scale * QUARTER_TICKS for v in (positions_q, duration_q))
        end = int(np.clip(durations[-1], 1, LONGEST_END_TICKS))
        count = int(positions[-1]) + end + 1
        if count > LONGEST_TICKS:
            return None
        features.append(describe_melody(positions, durations, pitch, tonic, count))
    shifts = np.zeros(features[0].shape[1], np.int64)
    np.add.at(shifts, (positions_q * QUARTER_TICKS).astype(np.int64), moves)
    return Example(tuple(features), target, np.cumsum(shifts))


def _draw_beginning(melody: BarredMelody, rng: Generator, excerpts: Excerpts) -> float:
    """Return where an excerpt begins, in quarters."""
    onset_q, bar_q = melody.onset_q, melody.bar_q
    chance = rng.random()
    if chance < excerpts.from_beginning:
        return 0.0
    last_q = max(onset_q[-1] - LAST_BARS * bar_q, 0.0)
    if chance < excerpts.from_beginning + excerpts.from_phrase:
        steps = np.diff(onset_q)
        starts = onset_q[1:][(steps >= 2 * np.median(steps)) & (onset_q[1:] < last_q)]
        if len(starts):
            return float(rng.choice(starts))
    return float(rng.uniform(-bar_q, last_q))


def _draw_breaks(onset_q: Floats, rng: Generator) -> NDArray[np.int64]:
    """Return by how many ticks each note follows the one before it too late, or too early."""
    steps = np.diff(onset_q, prepend=onset_q[0]) * QUARTER_TICKS
    ends = (steps >= PAUSE_TICKS) & (rng.random(len(steps)) < _BROKEN_PAUSES)
    moves = rng.choice(_BREAK_TICKS, len(steps))
    return np.where(ends & (moves > PAUSE_TICKS / 2 - steps), moves, 0)


def _corrupt(
    onset_q: Floats, duration_q: Floats, pitch: NDArray[np.int64], rng: Generator
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return onsets, durations and pitches with simulated errors, onsets ascending."""
    kept = rng.random(len(onset_q)) >= rng.choice(_LOST)
    kept[0] = True
    onset_q, duration_q, pitch = onset_q[kept], duration_q[kept], pitch[kept]
    count = len(onset_q)
    wrong = rng.random(count) < _WRONG_PITCH
    pitch = np.where(wrong, pitch + rng.choice([-2, -1, 1, 2], count), pitch)
    duration_q = duration_q * rng.uniform(0.6, 1.05) * np.exp(rng.normal(0, 0.1, count))
    if rng.random() < 0.5:
        misplaced = rng.random(count) < _MISPLACED
        onset_q = np.where(
            misplaced, onset_q + rng.choice([-0.5, -0.25, 0.25, 0.5], count), onset_q
        )
    order = np.argsort(onset_q, kind="stable")
    return onset_q[order], duration_q[order], pitch[order]


class Draw:
    """Draws excerpts: first the metre, by :data:`METRE_SHARES`, then the corpus, then a melody.

    Metres and corpora without melodies are left out.

    Raises
    ------
    ValueError
        If there are no melodies.
    """

    def __init__(self, melodies: Sequence[BarredMelody]) -> None:
        if not melodies:
            raise ValueError("no melodies in regular bars to learn from")
        self._groups: dict[int, dict[str, list[BarredMelody]]] = {}
        for melody in melodies:
            corpora = self._groups.setdefault(melody.metre, {})
            corpora.setdefault(melody.corpus, []).append(melody)

    def draw(self, random: Generator, size: int) -> list[Example]:
        """Draw ``size`` excerpts."""
        metres = list(self._groups)
        examples: list[Example] = []
        while len(examples) < size:
            corpora = self._groups[_choose(metres, [METRE_SHARES[m] for m in metres], random)]
            names = list(corpora)
            melodies = corpora[_choose(names, [CORPUS_SHARES[name] for name in names], random)]
            melody = melodies[int(random.integers(len(melodies)))]
            example = draw_example(melody, random, LEARNT_FROM)
            if example is not None:
                examples.append(example)
        return examples


def _choose(items: Sequence[T], shares: Sequence[float], random: Generator) -> T:
    weights = np.array(shares)
    return items[int(random.choice(len(items), p=weights / weights.sum()))]
