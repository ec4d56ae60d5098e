"""Random piano music with what corpora of songs lack: runs, arpeggios, trills, repeated notes.

Each hand plays one texture after another for a few seconds each, in one scale throughout. It is
training material, not music to listen to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

MODES: Final = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11), (0, 2, 3, 5, 7, 8, 10))
KEYS: Final = (21, 108)

Row = tuple[float, float, float, float]


def compose_etude(length_s: float, random: Generator) -> NDArray[np.float64]:
    """Return notes, shape (N, 4): onset, offset in seconds, pitch, velocity; sorted by onset."""
    tonic, mode = int(random.integers(12)), MODES[int(random.integers(len(MODES)))]
    scale = np.array([p for p in range(KEYS[0], KEYS[1] + 1) if (p - tonic) % 12 in mode])
    rows: list[Row] = []
    split = int(random.integers(52, 68))
    for low, high in ((KEYS[0] + 3, split), (split - 4, KEYS[1] - 4)):
        now_s = float(random.uniform(0.1, 0.6))
        while now_s < length_s:
            span_s = min(float(random.uniform(1.0, 5.0)), length_s - now_s)
            if random.random() > 0.12:  # else a rest
                texture = _TEXTURES[int(random.integers(len(_TEXTURES)))]
                loud = float(random.uniform(35, 105))
                played = texture(scale[(scale >= low) & (scale <= high)], span_s, random)
                rows += [
                    (now_s + begin_s, now_s + end_s, pitch, loud + random.normal(0, 6) + accent)
                    for begin_s, end_s, pitch, accent in played
                ]
            now_s += span_s
    notes = np.array(sorted(rows), np.float64).reshape(-1, 4)
    notes[:, :2] += random.normal(0, random.uniform(0, 0.012), (len(notes), 1))
    notes[:, 0] = np.maximum(notes[:, 0], 0.0)
    notes[:, 1] = np.clip(notes[:, 1], notes[:, 0] + 0.03, length_s + 2.0)
    notes[:, 3] = np.clip(notes[:, 3], 12, 127)
    return notes[np.argsort(notes[:, 0], kind="stable")]


def _run(scale: NDArray[np.int64], span_s: float, random: Generator) -> list[Row]:
    step_s = 1 / random.uniform(3, 14)
    place = int(random.integers(len(scale)))
    direction = 1 if random.random() < 0.5 else -1
    doubled = 12 * (random.random() < 0.12)
    rows: list[Row] = []
    overlap = random.uniform(0.5, 1.15)
    for index in range(int(span_s / step_s)):
        begin_s = index * step_s
        if not 0 <= place + direction < len(scale) or random.random() < 0.06:
            direction = -direction
        place = int(np.clip(place + direction, 0, len(scale) - 1))
        pitches = [float(scale[place])] + ([float(scale[place] + doubled)] if doubled else [])
        accent = 8.0 if index % 4 == 0 else 0.0
        rows += [(begin_s, begin_s + step_s * overlap, pitch, accent) for pitch in pitches]
    return rows


def _arpeggio(scale: NDArray[np.int64], span_s: float, random: Generator) -> list[Row]:
    step_s = 1 / random.uniform(3, 13)
    start = int(random.integers(max(len(scale) - 8, 1)))
    chord = scale[start::2][: int(random.integers(3, 9))]
    order = np.arange(len(chord))
    if random.random() < 0.5:
        order = np.concatenate([order, order[-2:0:-1]])
    if random.random() < 0.3:
        order = random.permutation(order)
    held = random.random() < 0.3
    rows = []
    for index in range(int(span_s / step_s)):
        begin_s = index * step_s
        end_s = span_s if held else begin_s + step_s * random.uniform(0.6, 1.6)
        accent = 10.0 if index % len(order) == 0 else 0.0
        rows.append((begin_s, end_s, float(chord[order[index % len(order)]]), accent))
    return rows


def _chords(scale: NDArray[np.int64], span_s: float, random: Generator) -> list[Row]:
    step_s = 1 / random.uniform(0.6, 6)
    size, length = int(random.integers(2, 6)), random.uniform(0.3, 1.05)
    roll_s = random.uniform(0, 0.04) * (random.random() < 0.25)
    rows = []
    place = int(random.integers(len(scale)))
    for index in range(max(int(span_s / step_s), 1)):
        place = int(np.clip(place + random.integers(-3, 4), 0, len(scale) - 1))
        leaps = np.cumsum([0, *random.choice([1, 2, 2, 2, 3], size - 1)])
        for number, leap in enumerate(leaps):
            if place + leap < len(scale):
                begin_s = index * step_s + number * roll_s
                end_s = max(index * step_s + step_s * length, begin_s + 0.05)
                rows.append((begin_s, end_s, float(scale[place + leap]), 0.0))
    return rows


def _trill(scale: NDArray[np.int64], span_s: float, random: Generator) -> list[Row]:
    step_s = 1 / random.uniform(7, 15)
    place = int(random.integers(max(len(scale) - 1, 1)))
    pair = (float(scale[place]), float(scale[place] + random.choice([1, 2, 2, 12])))
    return [
        (index * step_s, (index + random.uniform(0.7, 1.1)) * step_s, pair[index % 2], 0.0)
        for index in range(int(span_s / step_s))
    ]


def _repeat(scale: NDArray[np.int64], span_s: float, random: Generator) -> list[Row]:
    step_s = 1 / random.uniform(2.5, 12)
    pitches = random.choice(scale, int(random.integers(1, 4)), replace=False)
    length = random.uniform(0.3, 0.97)
    return [
        (index * step_s, (index + length) * step_s, float(pitch), 4.0 * (index % 3 == 0))
        for index in range(int(span_s / step_s))
        for pitch in pitches
    ]


def _scatter(scale: NDArray[np.int64], span_s: float, random: Generator) -> list[Row]:
    count = int(span_s * random.uniform(1, 9))
    begins = np.sort(random.uniform(0, span_s, count))
    return [
        (float(b), float(b + random.uniform(0.06, 1.5)), float(random.choice(scale)),
         float(random.normal(0, 12)))
        for b in begins
    ]  # fmt: skip


_TEXTURES: Final[tuple[Callable[[NDArray[np.int64], float, Generator], list[Row]], ...]] = (
    _run,
    _run,
    _arpeggio,
    _arpeggio,
    _chords,
    _chords,
    _trill,
    _repeat,
    _scatter,
)
