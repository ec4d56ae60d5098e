"""Where the bar lines of a melody are likely to have slipped.

The bars of a reading are compared with those that are moved from one note on
(:mod:`.melody_bars`): a singer may have paused there for longer than was read, or a note may have
been located wrongly. Each move makes the score of the reading fall by some amount. The less it
falls, and the more notes there are on both sides of the move, the more worth while it is to ask the
reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LEAST_WEIGHT: Final = 0.1
"""Set by hand, and looked at on voice_pages: two of the three clips that a move mends are above."""

MOST: Final = 4


@dataclass(frozen=True, slots=True)
class TickSlip:
    """Bars that may begin later from a note on.

    Attributes
    ----------
    tick : int
        Of the note.
    shift : int
        Ticks by which bars begin later, from 1 to less than a bar.
    weight : float
        From 0 to 1: the probability of the moved bars, relative to those of the reading, times the
        share of the notes on the side of the move that has fewer, doubled.
    """

    tick: int
    shift: int
    weight: float


def find_slips(
    potentials: Floats, phases: Indices, costs: Floats, sharpness: float
) -> tuple[TickSlip, ...]:
    """Return the likeliest moves, the most worth while first.

    Parameters
    ----------
    potentials : np.ndarray, shape (L, T)
        Potentials of the places in a bar of L ticks.
    phases : np.ndarray of int, shape (T,)
        Tick, modulo L, at which the bars of the reading begin, as of each tick.
    costs : np.ndarray, shape (T,)
        Cost of changing the phase at each tick; infinite where no note begins.
    sharpness : float
        Factor of the score that makes its exponential a probability.
    """
    length, count = potentials.shape
    ticks = np.arange(count)
    begins = np.isfinite(costs)
    begun = begins.cumsum() - begins
    share = 2 * np.minimum(begun, begins.sum() - begun) / max(int(begins.sum()), 1)
    own = potentials[(ticks - phases) % length, ticks]
    earlier = np.concatenate([phases[:1], phases[:-1]])
    found = []
    for shift in range(1, length):
        gain = potentials[(ticks - phases - shift) % length, ticks] - own
        undoes = (phases != earlier) & ((phases + shift) % length == earlier)
        fall = np.where(undoes, -costs, costs) - gain[::-1].cumsum()[::-1]
        with np.errstate(over="ignore"):
            weights = np.where(begins, np.minimum(np.exp(-sharpness * fall), 1.0) * share, 0.0)
        tick = int(weights.argmax())
        found.append(TickSlip(tick, shift, float(weights[tick])))
    found.sort(key=lambda slip: -slip.weight)
    return tuple(slip for slip in found[:MOST] if slip.weight >= LEAST_WEIGHT)
