"""Drums and bass of the rendered songs; see :mod:`tests.bench.song_accompaniment`.

Drums are a drummer's recorded performance fitted to the beats, or a made-up pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model_zoo.training.sources.filters import OTHER_DRUMS
from model_zoo.training.sources.groove import Groove
from model_zoo.training.sources.piece import ONSET, PITCH, Line, Piece, make_line

KICK: Final = 36
SNARES: Final = (38, 40, 37, 39)
TIMEKEEPERS: Final = (42, 42, 51, 46, 70, 69, 54)
CRASH: Final = 49


def add_bass(piece: Piece, random: Generator) -> Line | None:
    """Return a bass line on the lowest pitch class of each beat, or of each few beats."""
    events = [line.notes for line in piece.lines if line.role != "drums" and len(line.notes)]
    if not events or len(piece.beats_s) < 4:
        return None
    sounding = np.concatenate(events)
    step = int(random.choice([1, 2, piece.bar_beats]))
    busy = random.random()
    beats = np.flatnonzero((piece.positions - 1) % step == 0)
    notes: list[tuple[float, float, float, float]] = []
    for first, following in pairwise(beats):
        start_s, stop_s = piece.beats_s[first], piece.beats_s[following]
        near = (sounding[:, ONSET] >= start_s - 0.06) & (sounding[:, ONSET] < stop_s - 0.06)
        if not near.any():
            continue
        pitch = float(sounding[near, PITCH].min())
        pitch = 28 + (pitch - 28) % 12 + (12 if random.random() < 0.05 else 0)
        beat_count = int(following - first)
        pieces = 1 if busy < 0.4 else beat_count if busy < 0.7 else 2 * beat_count
        edges = np.linspace(start_s, stop_s, pieces + 1)
        for index in range(pieces):
            if index and random.random() < 0.15:
                continue
            length_s = (edges[index + 1] - edges[index]) * 0.92
            onset_s = max(edges[index] + random.normal(0, 0.008), 0.0)
            notes.append((onset_s, onset_s + length_s, pitch, random.uniform(70, 100)))
    return make_line("bass", notes) if notes else None


def add_drums(piece: Piece, grooves: Sequence[Groove], random: Generator) -> Line | None:
    """Return a drum line that fits the piece's beats, or None if they are not steady."""
    downbeats = np.flatnonzero(piece.positions == 1)
    if len(downbeats) < 2 or len(piece.beats_s) < 8:
        return None
    bpm = 60.0 / float(np.median(np.diff(piece.beats_s)))
    fitting = [g for g in grooves if _fits(g, piece, bpm)]
    if fitting and random.random() < 0.7:
        hits = _loop(fitting[int(random.integers(len(fitting)))], piece, downbeats, random)
    else:
        hits = _invent(piece, downbeats, random)
    if not len(hits):
        return None
    begin, end = sorted(random.uniform(0.0, 1.0, 2))
    if random.random() < 0.3 and end - begin > 0.3:  # drums that enter late, or leave
        beats = len(piece.beats_s)
        hits = hits[(hits[:, 0] >= begin * beats) & (hits[:, 0] <= end * beats)]
    indices = np.arange(len(piece.beats_s))
    hits = hits[(hits[:, 0] >= 0) & (hits[:, 0] < len(indices) - 1)]
    onset_s = np.interp(hits[:, 0], indices, piece.beats_s)
    onset_s = np.maximum(onset_s + random.normal(0.0, random.uniform(0, 0.006), len(hits)), 0.0)
    velocity = np.clip(hits[:, 2], 20, 127)
    return make_line("drums", np.column_stack([onset_s, onset_s + 0.1, hits[:, 1], velocity]))


def _fits(groove: Groove, piece: Piece, bpm: float) -> bool:
    beat_units = groove.beats // 3 if groove.beats % 3 == 0 and groove.beats > 3 else groove.beats
    compound = beat_units != groove.beats
    if compound != (piece.compound == 1) or abs(np.log(groove.bpm / bpm)) > 0.4:
        return False
    if piece.bar_beats in (2, 4):
        return beat_units in (2, 4) and (compound or groove.beats == 4)
    return beat_units == piece.bar_beats


def _loop(
    groove: Groove, piece: Piece, downbeats: NDArray[np.intp], random: Generator
) -> NDArray[np.float64]:
    """Return (beat index, key, velocity) of a recorded groove, looped from a downbeat."""
    beat_q = 4.0 / groove.unit * (3 if piece.compound == 1 else 1)
    hits = np.column_stack([groove.hits[:, 0] / beat_q, groove.hits[:, 2:4]])
    hits[:, 1] = [OTHER_DRUMS.get(int(key), key) for key in hits[:, 1]]
    groove_bar = groove.beats * 4.0 / groove.unit / beat_q
    bars = max(1, int(hits[:, 0].max() / groove_bar + 0.25))
    span = bars * groove_bar
    hits = hits[hits[:, 0] < span - 0.05]
    starts = np.arange(float(downbeats[0]), float(len(piece.beats_s)), span)
    return np.concatenate([hits + np.array([start, 0.0, 0.0]) for start in starts])


def _invent(piece: Piece, downbeats: NDArray[np.intp], random: Generator) -> NDArray[np.float64]:
    """Return (beat index, key, velocity) of a random pattern with fills and crashes."""
    bar, parts = piece.bar_beats, 3 if piece.compound == 1 else 2
    snare, keeper = int(random.choice(SNARES)), int(random.choice(TIMEKEEPERS))
    style = random.random()
    kicks, snares = _backbeat(bar, style, random)
    density = int(random.choice([1, parts, 2 * parts] if parts == 2 else [1, parts]))
    keepers = np.arange(bar * density) / density if random.random() < 0.85 else np.array([])
    loud = random.uniform(70, 115)
    hits: list[tuple[float, float, float]] = []
    for number, downbeat in enumerate(downbeats):
        fill = number % 4 == 3 and random.random() < 0.4
        if number % 8 == 0 and random.random() < 0.6:
            hits.append((downbeat, CRASH, loud))
        hits += [(downbeat + at, KICK, loud) for at in kicks]
        hits += [(downbeat + at, snare, loud) for at in snares if not (fill and at >= bar - 1)]
        hits += [(downbeat + at, keeper, loud * (0.8 if at % 1 else 0.95)) for at in keepers]
        if fill:
            for k in range(2 * parts):
                key = float(random.choice([38, 45, 47, 50]))
                hits.append((downbeat + bar - 1 + k / (2 * parts), key, loud))
    return np.array(hits)


def _backbeat(bar: int, style: float, random: Generator) -> tuple[list[float], list[float]]:
    """Return the times of a bar's kicks and of its snares, in beats."""
    if bar == 3:
        return [0.0], [1.0, 2.0] if style < 0.6 else [2.0]
    if bar == 2:
        return [0.0], [1.0] if style < 0.6 else [0.5, 1.5]
    if bar == 6:
        return [0.0], [3.0]
    if style < 0.2:
        return [0.0, 1.0, 2.0, 3.0], [1.0, 3.0]  # four on the floor
    if style < 0.35:
        return [0.0], [2.0]  # half time
    if style < 0.45:
        return [0.0, 1.0, 2.0, 3.0], [0.5, 1.5, 2.5, 3.5]  # double time
    offbeats = [k / 2 for k in range(2, 8)]
    extra = random.choice(offbeats, int(random.integers(0, 3)), replace=False)
    kicks = {0.0, *([2.0] if random.random() < 0.6 else []), *map(float, extra)} - {1.0, 3.0}
    if random.random() < 0.1:
        kicks -= {0.0}
    return sorted(kicks), [1.0, 3.0]
