"""Where the bar lines of a melody are likely to have slipped."""

from __future__ import annotations

import numpy as np

from inference_service.rhythm.from_notes.melody_slips import LEAST_WEIGHT, find_slips

LENGTH, COUNT, SLIPPED = 8, 160, 80


def potentials(slipped: int, later: int) -> np.ndarray:
    """Potentials of a tune whose bars begin some ticks later from a tick on."""
    own = np.zeros((LENGTH, COUNT))
    for tick in range(0, COUNT, 2):
        place = (tick - (later if tick >= slipped else 0)) % LENGTH
        own[place, tick] = 1.0
    return own


def costs(slow: float = 4.0) -> np.ndarray:
    found = np.full(COUNT, np.inf)
    found[::2] = slow
    return found


def test_the_likeliest_move_begins_where_bars_slip() -> None:
    phases = np.zeros(COUNT, np.int64)
    slips = find_slips(potentials(SLIPPED, 2), phases, costs(), 0.6)
    assert (slips[0].tick, slips[0].shift, slips[0].weight) == (SLIPPED, 2, 1.0)
    assert all(slip.weight <= 1.0 for slip in slips)


def test_bars_that_fit_have_no_slips() -> None:
    phases = np.zeros(COUNT, np.int64)
    assert find_slips(potentials(COUNT, 0), phases, costs(), 0.6) == ()


def test_moves_near_the_ends_matter_little() -> None:
    phases = np.zeros(COUNT, np.int64)
    neutral = np.zeros((LENGTH, COUNT))
    slips = find_slips(neutral, phases, costs(1.5), 0.6)
    assert {slip.tick for slip in slips} == {COUNT // 2}
    assert all(LEAST_WEIGHT <= slip.weight < 0.5 for slip in slips)


def test_a_change_that_was_read_may_be_undone_at_no_cost() -> None:
    phases = np.where(np.arange(COUNT) >= SLIPPED, 3, 0)
    slips = find_slips(np.zeros((LENGTH, COUNT)), phases, costs(8.0), 0.6)
    assert (slips[0].tick, slips[0].shift) == (SLIPPED, LENGTH - 3)


def test_a_single_note_has_no_slips() -> None:
    few = np.full(1, 4.0)
    assert find_slips(np.zeros((LENGTH, 1)), np.zeros(1, np.int64), few, 0.6) == ()
