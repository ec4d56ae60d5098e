"""Whether even eighths are played long and short.

Jazz and its kin write even eighths and play the first of each pair longer, about two to one at
moderate tempi (Friberg and Sundström, "Swing ratios and ensemble timing in jazz performance",
Music Perception 19:3, 2002). A part swings where its beats, when they are divided in two, are
nearly always so divided, and are hardly ever divided in three.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_PAIRS: Final = 8
LONG_SHARE: Final = (0.56, 0.74)
STRAIGHT_SHARE: Final = (0.44, 0.56)
MOST_OTHERS: Final = 0.2
"""At most this share of the divided beats may be even, dotted, or hold triplets."""

_ON_BEAT: Final = 0.1


def find_swing(places: Floats) -> float | None:
    """Return where in the beat the short eighth begins; None for straight music.

    Parameters
    ----------
    places : np.ndarray, shape (A,)
        Attacks in beats, ascending.
    """
    beats, phases = np.floor(places + _ON_BEAT), (places + _ON_BEAT) % 1.0 - _ON_BEAT
    off = phases > _ON_BEAT
    inner = phases[off]
    counts = np.bincount((beats[off] - beats.min()).astype(np.int64)) if off.any() else np.zeros(1)
    alone = counts[(beats[off] - beats.min()).astype(np.int64)] == 1 if off.any() else off[off]
    long = alone & (inner >= LONG_SHARE[0]) & (inner <= LONG_SHARE[1])
    even = alone & (inner >= STRAIGHT_SHARE[0]) & (inner < STRAIGHT_SHARE[1])
    dotted = alone & (inner > LONG_SHARE[1])
    crowded = int((counts > 1).sum())
    pairs = int(long.sum())
    if pairs < MIN_PAIRS or int(even.sum() + dotted.sum()) + crowded > MOST_OTHERS * pairs:
        return None
    return float(np.median(inner[long]))


def straighten(places: Floats, short: float) -> Floats:
    """Return the places with ``short``, a place in the beat, moved to its middle."""
    whole = np.floor(places)
    phase = places - whole
    first = phase / short * 0.5
    second = 0.5 + (phase - short) / (1.0 - short) * 0.5
    return np.asarray(whole + np.where(phase < short, first, second))
