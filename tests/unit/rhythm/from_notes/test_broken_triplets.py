"""Lone notes on thirds of a beat."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.rhythm.from_notes.broken_triplets import mend_broken_triplets

STRAIGHT = [24 * quarter + place for quarter in range(2, 24) for place in (0, 12)]


def mend(places: list[int]) -> list[int]:
    positions = np.array([*places, *STRAIGHT])
    mended = mend_broken_triplets(positions, np.zeros(len(positions), np.int64))
    return [int(place) for place in mended[: len(places)]]


@pytest.mark.parametrize("third", [8, 16])
def test_a_note_that_came_late_or_early_is_an_eighth(third: int) -> None:
    assert mend([0, third, 24]) == [0, 12, 24]


@pytest.mark.parametrize(
    "places",
    [[0, 8, 16, 24], [0, 16, 32], [0, 8, 12, 16], [0, 4, 8, 12]],
    ids=["triplet", "triplet of quarters", "crowded", "sextuplet"],
)
def test_triplets_stay(places: list[int]) -> None:
    assert mend(places) == places


def test_music_that_is_full_of_them_has_them() -> None:
    shuffled = np.array([24 * quarter + place for quarter in range(9) for place in (0, 16)])
    mended = mend_broken_triplets(shuffled, np.zeros(18, np.int64))
    assert mended.tolist() == shuffled.tolist()


def test_notes_do_not_fall_together() -> None:
    assert mend([0, 15, 16, 24]) == [0, 15, 16, 24]
