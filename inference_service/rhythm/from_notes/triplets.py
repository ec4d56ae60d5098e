"""Music that divides its beats in three throughout, which is written in a compound metre.

The search for positions has quarters only (:mod:`.locate`), so that a jig comes out in 2/4 with a
triplet on every beat. 6/8 says the same without the brackets.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.bars import Bars
from inference_service.rhythm.from_notes.score_network import QUARTER_PARTS

COMPOUND: Final = {(2, 4): (6, 8), (3, 4): (9, 8), (4, 4): (12, 8)}

# Set by hand. Of 58 pieces of ASAP to tune on, they hold for one: Bach's prelude in 24/16.
LEAST_TERNARY: Final = 0.95
"""Share of the attacks between beats that are on thirds or sixths of them."""
LEAST_SECOND_THIRDS: Final = 0.15
"""Share of all attacks that begin the second third of a beat, which swung eighths leave out."""

_TERNARY: Final = tuple(QUARTER_PARTS * sixths // 6 for sixths in (1, 2, 4, 5))

Indices = NDArray[np.int64]


def write_compound(positions: Indices, bars: Bars) -> tuple[Indices, Bars]:
    """Return positions and bars in a compound metre if beats are divided in three throughout.

    Parameters
    ----------
    positions : np.ndarray of int, shape (N,), N >= 1, not descending
        In 24ths of a quarter. In a compound metre, a quarter becomes a dotted one.
    bars : Bars
    """
    metre = COMPOUND.get(bars.metre)
    within = np.unique(positions - bars.lines[0]) % QUARTER_PARTS
    between = within[within > 0]
    if (
        metre is None
        or not len(between)
        or np.mean(np.isin(between, _TERNARY)) < LEAST_TERNARY
        or np.mean(within == _TERNARY[1]) < LEAST_SECOND_THIRDS
    ):
        return positions, bars
    return positions * 3 // 2, Bars(tuple(line * 3 // 2 for line in bars.lines), metre)
