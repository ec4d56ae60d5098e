"""Builds small pieces for the tests of filters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model_zoo.training.sources.piece import Line, Piece, Role, make_line

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def tune(seed: int = 0, count: int = 120, beat_s: float = 0.5) -> Line:
    """Return a random melody in C major, in half and whole beats, at a constant velocity."""
    random = np.random.default_rng(seed)
    lengths_s = beat_s * random.choice([0.5, 1.0, 1.0], count)
    onsets_s = np.concatenate([[0.0], np.cumsum(lengths_s[:-1])])
    degrees = np.clip(np.cumsum(random.integers(-2, 3, count)) + 7, 0, 15)
    pitches = 60 + 12 * (degrees // 8) + np.array(SCALE)[degrees % 8]
    return line(np.column_stack([onsets_s, onsets_s + lengths_s, pitches, np.full(count, 90)]))


def line(notes: object, role: Role = "melody", program: int | None = 0, name: str = "") -> Line:
    """Return a line with notes of one instrument."""
    return replace(make_line(role, np.asarray(notes, float)), program=program, name=name)


def shift(of: Line, semitones: int, late_s: float = 0.0) -> Line:
    """Return the line shifted in time and pitch."""
    return replace(of, notes=of.notes + np.array([late_s, late_s, semitones, 0.0]))


def piece(*lines: Line, beat_s: float = 0.5, name: str = "piece") -> Piece:
    """Return a piece in 4/4 with beats up to its end."""
    end_s = max((float(each.notes[:, 1].max()) for each in lines if len(each.notes)), default=0.0)
    count = int(end_s / beat_s) + 1
    beats_s: NDArray[np.float64] = np.arange(count, dtype=np.float64) * beat_s
    return Piece(name, lines, beats_s, np.arange(count) % 4 + 1, bar_beats=4)
