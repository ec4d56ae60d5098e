"""Beats that are divided in three throughout."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.rhythm.from_notes.bars import Bars
from inference_service.rhythm.from_notes.triplets import write_compound

IN_TWO = Bars((0, 48, 96), (2, 4))


def write(places: list[int], bars: Bars = IN_TWO) -> tuple[list[int], Bars]:
    positions, written = write_compound(np.array(places), bars)
    return positions.tolist(), written


def test_a_jig_is_in_six_eight() -> None:
    eighths = list(range(0, 96, 8))
    positions, bars = write(eighths)
    assert positions == list(range(0, 144, 12))
    assert bars == Bars((0, 72, 144), (6, 8))


@pytest.mark.parametrize(
    "places",
    [
        [0, 16, 24, 40, 48, 64, 72, 88],  # swung eighths
        [0, 12, 24, 36, 48, 60, 72, 84],
        [0, 8, 16, 24, 36, 48, 56, 64, 72, 84],  # now triplets, now eighths
        [0, 24, 48, 72],
    ],
)
def test_other_music_stays_as_it_is(places: list[int]) -> None:
    assert write(places) == (places, IN_TWO)


def test_other_metres_stay_as_they_are() -> None:
    bars = Bars((0, 72, 144), (6, 8))
    assert write([0, 8, 16, 24, 32, 40, 48, 56, 64], bars)[1] is bars
