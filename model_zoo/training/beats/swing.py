"""Swings a piece: moves what stands between beats, or between half beats, later."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model_zoo.training.sources.piece import Piece, warp

RATIO: Final = (0.665, 0.05)
"""Mean and standard deviation of the place of the off-beat within the beat: drummers of 34 jazz
trios, Jazz Trio Database."""

RATIO_LIMITS: Final = (0.54, 0.76)
LIGHT: Final = (0.54, 0.64)
"""Place of the second of two sixteenths, as in hip-hop; no recordings were measured."""


def swing(piece: Piece, place: float, parts: int = 1) -> Piece:
    """Return the piece swung; its beats stay where they are.

    Parameters
    ----------
    piece : Piece
    place : float
        Where the middle of a division moves to, as a share of the division.
    parts : int
        Divisions of a beat: 1 swings eighths, 2 sixteenths.
    """
    indices = np.arange(len(piece.beats_s), dtype=float)

    def clock(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        beats = np.interp(times_s, piece.beats_s, indices) * parts
        whole = np.floor(beats + 1e-6)
        swung = whole + np.interp(beats - whole, [0.0, 0.5, 1.0], [0.0, place, 1.0])
        moved = np.interp(swung / parts, indices, piece.beats_s)
        inside = (times_s > piece.beats_s[0]) & (times_s < piece.beats_s[-1])
        return np.where(inside, moved, times_s)

    return replace(warp(piece, clock), beats_s=piece.beats_s)


def swing_some(piece: Piece, share: float, random: Generator) -> Piece:
    """Swing the eighths of a ``share`` of the pieces, and the sixteenths of a third of that."""
    drawn = random.random()
    if piece.compound == 1 or piece.bar_beats not in (2, 4) or len(piece.beats_s) < 2:
        return piece
    if drawn < share:
        return swing(piece, float(np.clip(random.normal(*RATIO), *RATIO_LIMITS)))
    if drawn < share * 4 / 3:
        return swing(piece, float(random.uniform(*LIGHT)), parts=2)
    return piece
