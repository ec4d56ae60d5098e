"""Counts the steps between the notes of melodies, for each metre and place in the bar.

The probabilities of a place are smoothed towards those of its place in the beat, in all metres of
the kind, simple or compound, and these towards those of all places. Only steps between places that
the search knows (:mod:`.melody_location`) are counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.melody_location import (
    BAR_PARTS,
    BAR_PLACES,
    FIRST_ROW,
    LONGEST_STEP,
    STEPS,
)
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS
from model_zoo.training.rhythm.barred import BarredMelody

BEAT_STEPS: Final = 20.0
PLACE_STEPS: Final = 30.0
BEGINNINGS: Final = 0.3
"""Strength of the smoothing, as numbers of steps and beginnings. Set by hand."""

IMPOSSIBLE: Final = -1e4
"""Log probability of steps to places at which no note begins; finite in float16."""

Floats = NDArray[np.float64]


def count_steps(melodies: Iterable[BarredMelody]) -> tuple[Floats, Floats]:
    """Return log probabilities of steps (FIRST_ROW[-1], STEPS), and of first places.

    They are the network's ``step`` and ``beginning``.
    """
    counts = np.zeros((FIRST_ROW[-1], STEPS))
    beginnings = np.full(FIRST_ROW[-1], BEGINNINGS)
    for melody in melodies:
        row_at = _find_rows(melody.metre)
        parts = np.round((melody.onset_q - melody.phase_q) * QUARTER_PARTS).astype(np.int64)
        rows = row_at[parts % len(row_at)]
        moved = np.diff(parts)
        known = (rows[:-1] >= 0) & (rows[1:] >= 0) & (moved > 0)
        classes = np.where(moved > LONGEST_STEP, STEPS - 1, moved // 2)
        np.add.at(counts, (rows[:-1][known], classes[known]), 1)
        if rows[0] >= 0:
            beginnings[rows[0]] += 1
    total = np.repeat(np.add.reduceat(beginnings, FIRST_ROW[:-1]), np.diff(FIRST_ROW))
    return _smooth(counts), np.log(beginnings / total)


def _find_rows(metre: int) -> NDArray[np.int64]:
    """Return the row of each place in a bar, -1 where no note begins."""
    rows = np.full(BAR_PARTS[metre], -1)
    rows[BAR_PLACES[metre]] = np.arange(FIRST_ROW[metre], FIRST_ROW[metre + 1])
    return rows


def _smooth(counts: Floats) -> Floats:
    """Return log probabilities of steps."""
    smoothed = np.full(counts.shape, IMPOSSIBLE)
    for unit, beat in ((4, QUARTER_PARTS), (8, 3 * QUARTER_PARTS // 2)):
        metres = [metre for metre, (_, own) in enumerate(METRES) if own == unit]
        rows = np.concatenate([np.arange(FIRST_ROW[m], FIRST_ROW[m + 1]) for m in metres])
        place = np.concatenate([BAR_PLACES[m] % beat for m in metres])
        everywhere = counts[rows].sum(0) + 0.5
        for metre in metres:
            row_at = _find_rows(metre)
            for row, start in enumerate(BAR_PLACES[metre], FIRST_ROW[metre]):
                moved = 2 * np.arange(STEPS)
                can_be = row_at[(start + moved) % len(row_at)] >= 0
                can_be[0], can_be[-1] = False, True
                prior = everywhere * can_be / everywhere[can_be].sum()
                for strength, own in (
                    (BEAT_STEPS, counts[rows[place == start % beat]].sum(0)),
                    (PLACE_STEPS, counts[row]),
                ):
                    counted = own * can_be
                    prior = (counted + strength * prior) / (counted.sum() + strength)
                smoothed[row, can_be] = np.log(prior[can_be])
    return smoothed
