"""Melodies as somebody might sing them, where no corpus is at hand.

Phrases of one to two breaths in one scale, mostly by step, with notes repeated, leaps that turn
back, motifs that come again on other degrees, syncopation, swing, a tempo that breathes, and
ornaments. Rhythms are of one kind for a whole melody: speech-like, even, long-drawn, quick.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

MODES: Final = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 8, 11),
    (0, 2, 3, 5, 7, 9, 10),
    (0, 2, 4, 5, 7, 9, 10),
    (0, 1, 3, 5, 7, 8, 10),
    (0, 1, 4, 5, 7, 8, 10),
    (0, 2, 4, 7, 9),
    (0, 3, 5, 7, 10),
    (0, 3, 5, 6, 7, 10),
    tuple(range(12)),
)
_STEPS: Final = (0, 1, -1, 2, -2, 3, -3, 4, -4, 7, -7)
_STEP_CHANCES: Final = (0.16, 0.24, 0.26, 0.09, 0.1, 0.04, 0.04, 0.03, 0.02, 0.01, 0.01)
_LENGTHS_BEATS: Final = (
    (0.25, 0.5, 0.5, 0.5, 0.75, 1.0, 1.5),
    (0.5, 1.0, 1.0, 1.0, 2.0),
    (1.0, 1.5, 2.0, 3.0, 4.0),
    (0.25, 0.25, 0.25, 0.5, 0.5),
    (1 / 3, 1 / 3, 2 / 3, 1.0),
)
REACH: Final = 9
"""Semitones to either side of the middle."""


def draw_melody(random: Generator, length_s: float) -> NDArray[np.float64]:
    """Draw a melody.

    Returns
    -------
    np.ndarray, shape (N, 4)
        Onset and offset in seconds, MIDI number, velocity; sorted and without overlap, all before
        ``length_s``.
    """
    tonic, mode = int(random.integers(12)), MODES[int(random.integers(len(MODES)))]
    middle = random.uniform(58, 70)
    scale = np.array([p for p in range(30, 100) if (p - tonic) % 12 in mode])
    scale = scale[np.abs(scale - middle) <= REACH]
    lengths = _LENGTHS_BEATS[int(random.choice(5, p=[0.4, 0.25, 0.12, 0.1, 0.13]))]
    # The tempo follows from how many notes a second are sung: one to four, as a rule.
    beat_s = np.exp(random.normal(np.log(0.45), 0.4)) / np.exp(np.mean(np.log(lengths)))
    swing = random.uniform(0.0, 0.17) if random.random() < 0.2 else 0.0
    legato = random.uniform(0.75, 1.0)
    loud = random.uniform(60, 100)
    rows: list[tuple[float, float, float, float]] = []
    now_beats, place = random.uniform(0.0, 1.5), int(random.integers(len(scale)))
    motif: tuple[list[float], list[int]] | None = None
    while now_beats * beat_s < length_s:
        if motif is None or random.random() < 0.5:
            count = int(random.integers(3, 14))
            steps = random.choice(_STEPS, count, p=_STEP_CHANCES).tolist()
            motif = random.choice(lengths, count).tolist(), steps
        arch = random.uniform(-6, 10)
        durations, steps = motif
        for index, (duration, step) in enumerate(zip(durations, steps, strict=True)):
            place += int(step)
            if not 0 <= place < len(scale):  # turn back at the edge of the range
                place -= 2 * int(step)
            place = int(np.clip(place, 0, len(scale) - 1))
            last = index + 1 == len(durations)
            held = duration * (random.uniform(1, 3) if last else 1.0)
            velocity = loud + arch * np.sin(np.pi * index / len(durations)) + random.normal(0, 4)
            rows.append((now_beats, now_beats + held * legato, float(scale[place]), velocity))
            now_beats += held
        now_beats = np.ceil(2 * now_beats) / 2 + float(random.choice([0, 0.5, 1, 1, 2, 3]))
    notes = _ornament(np.array(rows), scale, random)
    offbeat = np.abs(notes[:, :2] % 1.0 - 0.5) < 0.01
    notes[:, :2] = _tempo(notes[:, :2] + swing * offbeat, beat_s, random)
    notes[:, 3] = np.clip(notes[:, 3], 20, 120)
    notes[:, 1] = np.minimum(notes[:, 1], np.append(notes[1:, 0], np.inf))
    return notes[(notes[:, 1] < length_s) & (notes[:, 1] - notes[:, 0] > 0.05)]


def _ornament(
    notes: NDArray[np.float64], scale: NDArray[np.int64], random: Generator
) -> NDArray[np.float64]:
    """Return notes, in beats, some of them with a grace note, a turn or a run to the next pitch."""
    chance = random.uniform(0, 0.12)
    rows = []
    for begin, end, pitch, velocity in notes:
        if random.random() < chance and end - begin >= 0.5:
            place = int(np.searchsorted(scale, pitch))
            turn = [(-1,), (1,), (0, 1), (0, -1), (0, 1, 0, -1), (2, 1)][int(random.integers(6))]
            share = min(random.uniform(0.1, 0.2), 0.6 * (end - begin) / len(turn))
            for step in turn:
                grace = float(scale[int(np.clip(place + step, 0, len(scale) - 1))])
                rows.append((begin, begin + share, grace, velocity))
                begin += share
        rows.append((begin, end, pitch, velocity))
    return np.array(rows)


def _tempo(beats: NDArray[np.float64], beat_s: float, random: Generator) -> NDArray[np.float64]:
    """Return the seconds at which beats come, under a tempo that varies smoothly."""
    grid = np.arange(0.0, float(beats.max()) + 1.0, 0.5)
    course = gaussian_filter1d(random.standard_normal(len(grid)), 6.0)
    course *= random.uniform(0.0, 0.12) / (course.std() + 1e-9)
    seconds = np.concatenate([[0.0], np.cumsum(0.5 * beat_s * np.exp(course))[:-1]])
    performed: NDArray[np.float64] = np.interp(beats, grid, seconds)
    return performed
