"""Music whose beats are known, before it has instruments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Role = Literal["melody", "inner", "chords", "bass", "piano", "drums"]
Notes = NDArray[np.float64]

ONSET: Final = 0
OFFSET: Final = 1
PITCH: Final = 2
VELOCITY: Final = 3

UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Line:
    """What one instrument plays.

    Attributes
    ----------
    role : str
    notes : np.ndarray, shape (N, 4)
        Onset and offset in seconds, MIDI pitch, velocity 1-127.
    pedal : np.ndarray, shape (K, 2)
        Sustain pedal: time in seconds, value 0-127.
    """

    role: Role
    notes: Notes
    pedal: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines and their beats.

    Attributes
    ----------
    name : str
    lines : tuple of Line
    beats_s : np.ndarray, shape (B,)
    positions : np.ndarray of int, shape (B,)
        In the bar, 1 the downbeat.
    bar_beats : int
        Of the usual bar.
    compound : int
        1 where beats divide in three, 0 in two, :data:`UNKNOWN` where nobody says.
    """

    name: str
    lines: tuple[Line, ...]
    beats_s: NDArray[np.float64]
    positions: NDArray[np.int64]
    bar_beats: int
    compound: int = UNKNOWN


def make_line(role: Role, notes: list[tuple[float, float, float, float]] | Notes) -> Line:
    """A line without pedal."""
    return Line(role, np.asarray(notes, np.float64).reshape(-1, 4), np.zeros((0, 2)))


def cut(piece: Piece, start_s: float, stop_s: float) -> Piece:
    """Return what begins within ``[start_s, stop_s)``, with times from ``start_s``."""
    lines = []
    for line in piece.lines:
        inside = (line.notes[:, ONSET] >= start_s) & (line.notes[:, ONSET] < stop_s)
        notes = line.notes[inside].copy()
        notes[:, :2] -= start_s
        notes[:, OFFSET] = np.minimum(notes[:, OFFSET], stop_s - start_s)
        pressed = (line.pedal[:, 0] >= start_s) & (line.pedal[:, 0] < stop_s)
        lines.append(Line(line.role, notes, line.pedal[pressed] - [start_s, 0.0]))
    kept = (piece.beats_s >= start_s) & (piece.beats_s < stop_s)
    return replace(
        piece,
        lines=tuple(lines),
        beats_s=piece.beats_s[kept] - start_s,
        positions=piece.positions[kept],
    )


def change_tempo(piece: Piece, factor: float) -> Piece:
    """Return the piece ``factor`` times as fast."""
    lines = []
    for line in piece.lines:
        notes, pedal = line.notes.copy(), line.pedal.copy()
        notes[:, :2] /= factor
        pedal[:, 0] /= factor
        lines.append(Line(line.role, notes, pedal))
    return replace(piece, lines=tuple(lines), beats_s=piece.beats_s / factor)
