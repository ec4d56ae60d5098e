"""Accompaniments of the rendered songs' chords, in the patterns of pianists and bands.

They are kept apart from the arrangements in the training of beats, of which they were a part when
the measure was made, so that the songs stay the same when the training changes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model_zoo.training.beats.timing import lines_of
from model_zoo.training.sources.openewld import Chord
from model_zoo.training.sources.piece import Line, make_line
from model_zoo.training.sources.scores import WrittenPiece, beats_of

Hit = tuple[float, float, str]
"""Beat within the bar, length in beats, and what is played: ``b`` the root in the bass, ``f`` its
fifth, ``c`` the chord, or a digit, the index of the chord's note in an arpeggio."""


def accompany(score: WrittenPiece, chords: list[Chord], random: Generator) -> list[Line]:
    """Return lines for the melody, the chords and a bass, with times in quarters."""
    beats_q, positions, bar_beats, compound = beats_of(score)
    melody = lines_of(score, random)[:1]
    if not chords:
        return melody
    beat_q = float(np.median(np.diff(beats_q)))
    pattern = draw_pattern(bar_beats, compound == 1, random)
    swing = compound == 0 and bar_beats == 4 and random.random() < 0.3
    begins = np.array([chord[0] for chord in chords])
    upper, lower = [], []
    bass_octave, register = int(random.choice([24, 36])), int(random.choice([48, 55, 60]))
    loud = random.uniform(50, 85)
    for bar_q in beats_q[positions == 1]:
        for at, length, what in pattern:
            onset_q = float(bar_q) + (_swung(at) if swing else at) * beat_q
            index = int(np.searchsorted(begins, onset_q + 1e-3)) - 1
            if index < 0:
                continue
            _, root, intervals = chords[index]
            end_q = onset_q + length * beat_q
            tones = sorted((root + i - register) % 12 + register for i in intervals)
            velocity = loud + random.normal(0, 5)
            if what in "bf":
                pitch = bass_octave + root + (intervals[2] if what == "f" else 0)
                lower.append((onset_q, end_q, float(pitch), velocity + 8))
            elif what == "c":
                upper += [(onset_q, end_q, float(tone), velocity) for tone in tones]
            else:
                step = int(what)
                tone = tones[step % len(tones)] + 12 * (step // len(tones))
                upper.append((onset_q, end_q, float(tone), velocity))
    if swing:
        notes = melody[0].notes.copy()
        for column in (0, 1):
            notes[:, column] = _swing_quarters(notes[:, column] / beat_q) * beat_q
        melody = [make_line("melody", notes)]
    return [*melody, make_line("chords", upper), make_line("bass", lower)]


def _swung(beat: float) -> float:
    return float(_swing_quarters(np.array([beat]))[0])


def _swing_quarters(beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Swing: move what stands at the middle of a beat to its last third."""
    whole = np.floor(beats + 1e-6)
    rest = np.clip(beats - whole, 0.0, 1.0)
    swung: NDArray[np.float64] = whole + np.where(
        rest < 0.5, rest * 4 / 3, 2 / 3 + (rest - 0.5) * 2 / 3
    )
    return swung


def draw_pattern(bar_beats: int, compound: bool, random: Generator) -> list[Hit]:
    """Draw the hits of a bar, which every bar repeats."""
    choices = _COMPOUND if compound else _SIMPLE
    options = choices.get(bar_beats, choices[4 if not compound else 2])
    return options[int(random.integers(len(options)))]


def _each(count: int, what: str, step: float = 1.0, length: float = 0.9) -> list[Hit]:
    return [(k * step, length * step, what) for k in range(count)]


def _arpeggio(order: str, step: float) -> list[Hit]:
    return [(k * step, 1.5 * step, what) for k, what in enumerate(order)]


_SIMPLE: Final[dict[int, list[list[Hit]]]] = {
    2: [
        [(0, 0.5, "b"), (0.5, 0.4, "c"), (1, 0.5, "f"), (1.5, 0.4, "c")],
        [(0, 0.9, "b"), (1, 0.8, "c")],
        [(0, 1.9, "b"), *_arpeggio("0121", 0.5)],
        [(0, 0.9, "b"), (1, 0.9, "f"), *_each(2, "c")],
        [(0, 1.8, "b"), (0, 1.8, "c")],
    ],
    3: [
        [(0, 0.9, "b"), (1, 0.6, "c"), (2, 0.6, "c")],
        [(0, 2.8, "b"), *_arpeggio("012321", 0.5)],
        [(0, 2.8, "b"), (0, 2.8, "c")],
        [(0, 2.8, "b"), *_each(3, "c")],
        [(0, 1.9, "b"), (2, 0.9, "f"), (0, 0.9, "c"), (1, 1.4, "c")],
    ],
    4: [
        [(0, 0.9, "b"), (1, 0.6, "c"), (2, 0.9, "f"), (3, 0.6, "c")],
        [(0, 1.9, "b"), (2, 1.9, "b"), *_each(4, "c")],
        [(0, 3.8, "b"), (0, 3.8, "c")],
        [(0, 1.4, "b"), (1.5, 0.4, "b"), (2, 1.9, "f"), *_each(8, "c", 0.5, 0.8)],
        [(0, 1.9, "b"), (2, 1.9, "f"), *_arpeggio("01230123", 0.5)],
        [(0, 1.4, "b"), (2, 1.4, "f"), (0, 0.9, "c"), (1.5, 0.9, "c"), (3, 0.9, "c")],
        [*_each(8, "b", 0.5), (0, 1.9, "c"), (2, 1.9, "c")],
        [*_each(2, "b", 2.0), (1, 0.3, "c"), (3, 0.3, "c"), (3.5, 0.3, "c")],
        [
            (0, 0.9, "b"),
            (1, 0.9, "f"),
            (2, 0.9, "b"),
            (3, 0.9, "f"),
            (1, 0.4, "c"),
            (2.5, 0.9, "c"),
        ],
        [(0, 1.9, "b"), (2.5, 1.4, "b"), *_arpeggio("0213021302130213", 0.25)],
    ],
}
_THIRD: Final = 1 / 3
_COMPOUND: Final[dict[int, list[list[Hit]]]] = {
    2: [
        [(0, 0.9, "b"), (1, 0.9, "f"), *[(k * _THIRD, 0.25, "c") for k in (1, 2, 4, 5)]],
        [(0, 1.9, "b"), *_arpeggio("012321", _THIRD)],
        [(0, 0.9, "b"), (1, 0.9, "b"), (2 * _THIRD, 0.3, "c"), (5 * _THIRD, 0.3, "c")],
        [(0, 1.9, "b"), *_each(2, "c")],
        [(0, 1.9, "b"), *_each(6, "c", _THIRD)],
    ],
    3: [
        [(0, 2.9, "b"), *_arpeggio("012012012", _THIRD)],
        [(0, 2.9, "b"), *_each(3, "c")],
    ],
    4: [
        [(0, 1.9, "b"), (2, 1.9, "f"), *_arpeggio("012012012012", _THIRD)],
        [(0, 1.9, "b"), (2, 1.9, "b"), *_each(12, "c", _THIRD)],
        [(0, 0.9, "b"), (2, 0.9, "f"), (1, 0.9, "c"), (3, 0.9, "c"), (5 * _THIRD, 0.3, "c")],
    ],
}
