"""Lone notes on thirds of a beat in music that divides beats in two.

A third that is alone in its quarter, and no part of a triplet of quarters, is a note that came late
or early, unless the music has many of them.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.score_network import QUARTER_PARTS

# Set by hand.
MOST_BROKEN: Final = 0.1
"""Largest share of broken triplets among the quarters that are divided; with more, and more than
one, they are the rhythm of the music."""

_FIRST, _SECOND = QUARTER_PARTS // 3, 2 * QUARTER_PARTS // 3

Indices = NDArray[np.int64]


def mend_broken_triplets(positions: Indices, origin: Indices) -> Indices:
    """Return positions with lone thirds moved to the middle of their quarters.

    Parameters
    ----------
    positions : np.ndarray of int, shape (N,), not descending
        Written positions in 24ths of a quarter.
    origin : np.ndarray of int, shape (N,)
        Position from which the quarters of each are counted.
    """
    quarter = origin + (positions - origin) // QUARTER_PARTS * QUARTER_PARTS
    place = positions - quarter
    at = list(zip(quarter.tolist(), place.tolist(), strict=True))
    taken = set(at)
    divisions = Counter(q for q, p in taken if p)
    broken = [i for i, (q, p) in enumerate(at) if divisions[q] == 1 and _is_broken(q, p, taken)]
    if len({at[i] for i in broken}) > max(MOST_BROKEN * len(divisions), 1):
        return positions
    mended = positions.copy()
    mended[broken] = quarter[broken] + QUARTER_PARTS // 2
    return np.maximum.accumulate(mended)


def _is_broken(quarter: int, place: int, taken: set[tuple[int, int]]) -> bool:
    """Whether a place is a third, and its neighbours do not make it a triplet of quarters."""
    return (place == _FIRST and (quarter - QUARTER_PARTS, _SECOND) not in taken) or (
        place == _SECOND and (quarter + QUARTER_PARTS, _FIRST) not in taken
    )
