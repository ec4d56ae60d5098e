"""Readings in terms of the beats of the best one: values, first bars, probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.music.events import Beat, RhythmReading
from inference_service.rhythm.from_notes.bars import Bars
from inference_service.rhythm.from_notes.readings import SCALE_SHARES, compare, list_steady, weigh
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS
from tests.unit.rhythm.from_notes.readings import SURE, sure

QUARTERS = QUARTER_PARTS * np.arange(8)
TIMES_S = np.arange(8, dtype=np.float64) / 2
BEATS = tuple(Beat(0.5 * k, k % 4 + 1) for k in range(9))


@dataclass(frozen=True)
class Written:
    positions: NDArray[np.int64]
    bars: Bars
    score: float


def write(metre: tuple[int, int], first: int, score: float, scale: float = 1.0) -> Written:
    """Return quarters in bars of which the first full one begins at note ``first``."""
    length = QUARTER_PARTS * 4 * metre[0] // metre[1]
    start = int(first * QUARTER_PARTS * scale)
    lines = tuple(range(start - length if start else 0, 16 * QUARTER_PARTS, length))
    return Written((QUARTERS * scale).astype(np.int64), Bars(lines, metre), score)


def read(*others: Written, sharpness: float = 1.0) -> tuple[RhythmReading, ...]:
    return compare([write((4, 4), 0, 0.0), *others], sharpness, TIMES_S, BEATS)


def test_the_chosen_reading_is_described_by_its_own_beats() -> None:
    assert read() == (RhythmReading("4/4", 1.0, 1.0, 1.0),)


@pytest.mark.parametrize("first", [1, 2])
def test_bars_that_begin_later_are_told_by_the_number_of_a_beat(first: int) -> None:
    assert read(write((3, 4), first, -1.0))[1].first_beat == 1.0 + first


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_other_values_keep_the_first_beat_in_time(scale: float) -> None:
    found = read(write((4, 4), 1, -1.0, scale))[1]
    assert (found.beat_scale, found.first_beat) == (scale, 2.0)


def test_probabilities_are_the_softmax_of_sharpened_scores() -> None:
    found = read(write((3, 4), 0, -1.0), write((2, 4), 0, -2.0), sharpness=2.0)
    expected = np.exp([0.0, -2.0, -4.0])
    expected /= expected.sum()
    assert [reading.probability for reading in found] == pytest.approx(list(expected))


def test_others_are_sorted_and_improbable_ones_left_out() -> None:
    found = read(write((2, 4), 0, -2.0), write((3, 4), 0, -1.0), write((6, 8), 0, -9.0))
    assert [reading.time_signature for reading in found] == ["4/4", "3/4", "2/4"]


def test_a_bar_that_begins_after_the_last_note_is_extrapolated() -> None:
    bars = Bars((-2 * QUARTER_PARTS, 10 * QUARTER_PARTS), (12, 4))
    assert read(Written(QUARTERS, bars, -1.0))[1].first_beat == 11.0


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
