"""Bar lines and metre over written positions.

The cheapest division of the music into bars: a bar likes to begin where the network hears a
downbeat, dislikes downbeats within, wants the metre that the network reads there, and its
predecessor's metre; a bar of any other length is dear, but possible, and the first may be short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inference_service.rhythm.score_network import METRES, QUARTER_PARTS

Floats = NDArray[np.float64]

TICK: Final = QUARTER_PARTS // 2
"""Bars begin on eighths."""

CHANGE_COST: Final = 9.0
ODD_BAR_COST: Final = 14.0
METRE_WEIGHT: Final = 0.25
DOWNBEAT_WEIGHT: Final = 1.0
NO_ATTACK_COST: Final = 1.5
_LIMIT: Final = 6.0

_LENGTHS: Final = tuple(8 * beats // unit for beats, unit in METRES)


@dataclass(frozen=True, slots=True)
class Bars:
    """Bar lines, in 24ths of a quarter, ascending, and the metre of the whole.

    The first line may lie before the first attack; the last lies after the last attack.
    """

    lines: tuple[int, ...]
    metre: tuple[int, int]


def find_bars(positions: NDArray[np.int64], downbeat: Floats, metre: Floats) -> Bars:
    """Divide the music.

    Parameters
    ----------
    positions : np.ndarray of int, shape (A,), ascending, A >= 1
        In 24ths of a quarter.
    downbeat : np.ndarray, shape (A,)
        Log odds that a bar begins at each attack.
    metre : np.ndarray, shape (A, len(METRES))
        Log probabilities.
    """
    origin = int(positions[0]) // TICK
    ticks = np.rint(positions / TICK).astype(np.int64) - origin
    count = int(ticks[-1]) + 1
    odds = np.full(count, -np.inf)
    on_tick = positions % TICK == 0
    np.maximum.at(odds, ticks[on_tick], np.clip(downbeat[on_tick], -_LIMIT, _LIMIT))
    gain = DOWNBEAT_WEIGHT * np.where(np.isfinite(odds), odds, -NO_ATTACK_COST)
    liking = np.zeros((count, len(METRES)))
    np.add.at(liking, ticks, np.maximum(metre, -_LIMIT))
    attacks = np.bincount(ticks, minlength=count)[:, None]
    liking *= METRE_WEIGHT / np.maximum(attacks, 1)
    lines, metres = _divide(gain, np.concatenate([np.zeros((1, len(METRES))), liking.cumsum(0)]))
    lengths = np.bincount(metres[1:], np.diff(lines), minlength=len(METRES))
    return Bars(tuple(int(line + origin) * TICK for line in lines), METRES[int(lengths.argmax())])


@njit(cache=True)
def _divide(gain: Floats, liked: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return bar lines in ticks, and the metre of the bar that each ends.

    ``liked`` is the running sum, from tick 0, of how well each metre fits.
    """
    count, metres, longest = len(gain), liked.shape[1], 12
    size = count + 2 * longest
    best = np.full((size, metres), -1e18)  # up to a line at tick (row - longest)
    any_best = np.full(size, -1e18)
    any_metre = np.zeros(size, np.int64)
    came_from = np.full((size, metres), -1)
    came_metre = np.zeros((size, metres), np.int64)
    for row in range(1, size):
        t = row - longest
        here = gain[t] if 0 <= t < count else 0.0
        for m in range(metres):
            if t <= 0 and -t < _LENGTHS[m]:  # the upbeat is shorter than its bar
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
                fit = liked[min(max(t, 0), count), m] - liked[max(t - length, 0), m]
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
