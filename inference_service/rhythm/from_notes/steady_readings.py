"""Readings of music with several notes at a time: other metres, and values halved or doubled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.bar_network import TICK
from inference_service.rhythm.from_notes.bars import Bars, Floats, score_steady_bars
from inference_service.rhythm.from_notes.score_network import METRES

# As music is read in one half of ASAP's pieces: how often its written values are right, or should
# be halved or doubled; and the factor that makes the softmax of the metres' scores, divided by the
# number of eighths, a probability where the values are right (docs/notation.md).
SCALE_SHARES: Final = ((1.0, 0.56), (0.5, 0.33), (2.0, 0.11))
METRE_SHARPNESS: Final = 2.5


@dataclass(frozen=True, slots=True)
class SteadyReading:
    """A :class:`~.readings.CompleteReading` whose bars are all of one length."""

    positions: NDArray[np.int64]
    bars: Bars
    score: float


def list_steady(
    odds: Floats, metre: Floats, first_tick: int, positions: NDArray[np.int64], chosen: Bars
) -> list[SteadyReading]:
    """Return readings of music in other metres, and in other values; first the chosen one.

    The scores are log probabilities.

    Parameters
    ----------
    odds, metre, first_tick
        As :func:`~.bars.find_bars` takes them.
    positions : np.ndarray of int, shape (N,), not descending
    chosen : Bars
        What :func:`~.bars.find_bars` found.
    """
    steady = score_steady_bars(odds, metre)
    fits = METRE_SHARPNESS * np.array([scores.max() for scores in steady]) / len(odds)
    metres = fits - np.logaddexp.reduce(fits)
    own = float(metres[METRES.index(chosen.metre)])
    (_, right), *others = SCALE_SHARES
    readings = [SteadyReading(positions, chosen, float(np.log(right)) + own)]
    for scores, name, log_share in zip(steady, METRES, metres, strict=True):
        if name != chosen.metre:
            begin = (first_tick + int(scores.argmax())) * TICK
            bars = _lay_bars(begin, len(scores) * TICK, name, positions)
            readings.append(SteadyReading(positions, bars, float(np.log(right) + log_share)))
    length = len(steady[METRES.index(chosen.metre)]) * TICK
    for scale, share in others:
        scaled = (positions * scale).astype(np.int64)
        full = next((line for line in chosen.lines if line >= positions[0]), chosen.lines[0])
        bars = _lay_bars(int(full * scale), length, chosen.metre, scaled)
        readings.append(SteadyReading(scaled, bars, float(np.log(share)) + own))
    return readings


def _lay_bars(
    begin: int, length: int, metre: tuple[int, int], positions: NDArray[np.int64]
) -> Bars:
    """Return steady bars over all positions, one of which begins at ``begin``."""
    start = begin - length * max(0, -(-(begin - int(positions[0])) // length))
    return Bars(tuple(range(start, int(positions[-1]) + length + 1, length)), metre)
