"""Readings of polyphonic music: other metres and other values, on steady bars."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.music.events import Beat, RhythmReading
from inference_service.rhythm.from_notes.bars import Bars
from inference_service.rhythm.from_notes.readings import weigh
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS
from inference_service.rhythm.from_notes.steady_readings import SCALE_SHARES, list_steady
from tests.unit.rhythm.from_notes.readings import SURE, sure

QUARTERS = QUARTER_PARTS * np.arange(8)
TIMES_S = np.arange(8, dtype=np.float64) / 2
BEATS = tuple(Beat(0.5 * k, k % 4 + 1) for k in range(9))


def list_of_four_four(shift: int = 0) -> list[RhythmReading]:
    """Return the readings of two bars of quarters that sound like 4/4."""
    eighths = np.arange(2 * len(QUARTERS))
    odds = np.where(eighths % 8 == 2 * shift, SURE, -SURE)
    metre = sure([METRES.index((4, 4))] * len(eighths), len(METRES))
    start = shift * QUARTER_PARTS - 4 * QUARTER_PARTS * (shift > 0)
    lines = tuple(range(start, 13 * QUARTER_PARTS, 4 * QUARTER_PARTS))
    chosen = Bars(lines, (4, 4))
    return list(weigh(list_steady(odds, metre, 0, QUARTERS, chosen), TIMES_S, BEATS))


@pytest.mark.parametrize("shift", [0, 1])
def test_steady_readings_begin_with_the_chosen_one(shift: int) -> None:
    first, *others = list_of_four_four(shift)
    assert (first.time_signature, first.beat_scale, first.first_beat) == ("4/4", 1.0, 1.0 + shift)
    assert first.probability > others[0].probability
    assert first.probability + sum(other.probability for other in others) <= 1.0


def test_values_are_right_as_often_as_they_are() -> None:
    readings = list_of_four_four()
    for scale, share in SCALE_SHARES:
        total = sum(r.probability for r in readings if r.beat_scale == scale)
        assert total == pytest.approx(share, abs=0.1)


def test_steady_bars_in_other_values_begin_where_the_chosen_ones_do() -> None:
    scaled = [r for r in list_of_four_four(1) if r.beat_scale != 1.0]
    assert {(r.time_signature, r.first_beat) for r in scaled} == {("4/4", 2.0)}


def test_other_metres_are_readings_where_they_fit() -> None:
    even_metres = np.zeros((16, len(METRES)))
    odds = np.where(np.arange(16) % 4 == 0, SURE, -SURE)
    chosen = Bars((0, 4 * QUARTER_PARTS, 8 * QUARTER_PARTS), (4, 4))
    readings = list_steady(odds, even_metres, 0, QUARTERS, chosen)
    probable = weigh(readings, TIMES_S, BEATS)
    assert "2/4" in {reading.time_signature for reading in probable}
    assert len(readings) == len(METRES) + len(SCALE_SHARES) - 1
