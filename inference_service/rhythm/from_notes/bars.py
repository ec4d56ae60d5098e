"""Find bar lines and metre, given written positions.

The division into bars maximises, by dynamic programming, the log odds of bar lines and the
log probabilities of metres from the networks. Changes of metre, and bars whose length is not that
of their metre, are penalised, not forbidden. The first bar may be short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.bar_network import TICK
from inference_service.rhythm.from_notes.score_network import METRES

Floats = NDArray[np.float64]

# In units of log odds, chosen on the tuning half of ASAP (docs/notation.md).
CHANGE_COST: Final = 9.0
ODD_BAR_COST: Final = 14.0
METRE_WEIGHT: Final = 0.25
_LIMIT: Final = 6.0
"""Bound of log odds and log probabilities."""

_LENGTHS: Final = tuple(8 * beats // unit for beats, unit in METRES)


@dataclass(frozen=True, slots=True)
class Bars:
    """Bar lines and overall metre.

    Attributes
    ----------
    lines : tuple of int
        Positions in 24ths of a quarter, ascending. The first may lie before the first attack; the
        last lies after the last attack.
    metre : tuple of int
        Numerator and denominator.
    """

    lines: tuple[int, ...]
    metre: tuple[int, int]


def find_bars(odds: Floats, metre: Floats, first_tick: int = 0) -> Bars:
    """Divide the music into bars.

    Parameters
    ----------
    odds : np.ndarray, shape (T,), T >= 1
        Log odds that a bar begins at each eighth.
    metre : np.ndarray, shape (T, len(METRES))
        Log probabilities of the metre at each eighth.
    first_tick : int
        Position of the first eighth, in eighths.
    """
    gain = np.clip(odds, -_LIMIT, _LIMIT)
    fit = METRE_WEIGHT * np.maximum(metre, -_LIMIT)
    lines, metres = _divide(gain, np.concatenate([np.zeros((1, len(METRES))), fit.cumsum(0)]))
    lengths = np.bincount(metres[1:], np.diff(lines), minlength=len(METRES))
    return Bars(
        tuple(int(line + first_tick) * TICK for line in lines), METRES[int(lengths.argmax())]
    )


def score_steady_bars(odds: Floats, metre: Floats) -> list[Floats]:
    """Return how well bars fit that are all of one metre, from the first to the last.

    Parameters
    ----------
    odds, metre
        As :func:`find_bars` takes them.

    Returns
    -------
    list of np.ndarray, one for each of METRES, shape (L,)
        Scores of bars of L eighths, by the eighth at which the first full bar begins.
    """
    gain = np.clip(odds, -_LIMIT, _LIMIT)
    fits = METRE_WEIGHT * np.maximum(metre, -_LIMIT).sum(axis=0)
    return [
        np.array([gain[phase::length].sum() for phase in range(length)]) + fit
        for length, fit in zip(_LENGTHS, fits, strict=True)
    ]


@njit(cache=True)
def _divide(gain: Floats, fits: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return bar lines in ticks, and the metre of the bar that each ends.

    ``fits`` is the cumulative sum, from tick 0, of the fit of each metre.
    """
    count, metres, longest = len(gain), fits.shape[1], 12
    size = count + 2 * longest
    best = np.full((size, metres), -1e18)  # up to a bar line at tick (row - longest)
    any_best = np.full(size, -1e18)
    any_metre = np.zeros(size, np.int64)
    came_from = np.full((size, metres), -1)
    came_metre = np.zeros((size, metres), np.int64)
    for row in range(1, size):
        t = row - longest
        here = gain[t] if 0 <= t < count else 0.0
        for m in range(metres):
            if t <= 0 and -t < _LENGTHS[m]:  # a pickup is shorter than a bar
                best[row, m] = here
            for length in range(1, min(longest, row) + 1):
                odd = length != _LENGTHS[m]
                if odd and (t >= count or t - length < 0):
                    continue
                start = row - length
                stay, change = best[start, m], any_best[start] - CHANGE_COST
                before = max(stay, change)
                if before < -1e17:
                    continue
                begun = min(max(t - length, 0), count)
                fit = fits[min(max(t, 0), count), m] - fits[begun, m]
                value = before + fit + here - (ODD_BAR_COST if odd else 0.0)
                if value > best[row, m]:
                    best[row, m] = value
                    came_from[row, m] = start
                    came_metre[row, m] = m if stay >= change else any_metre[start]
            if best[row, m] > any_best[row]:
                any_best[row] = best[row, m]
                any_metre[row] = m
    row = count + longest + int(np.argmax(any_best[count + longest :]))
    m = any_metre[row]
    lines = np.zeros(size, np.int64)
    ending = np.zeros(size, np.int64)
    found = 0
    while row >= 0:
        lines[found] = row - longest
        ending[found] = m
        found += 1
        row, m = came_from[row, m], came_metre[row, m]
    return lines[:found][::-1].copy(), ending[:found][::-1].copy()
