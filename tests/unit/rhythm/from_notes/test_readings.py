"""Readings in terms of the beats of the best one: values, first bars, probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.music.events import Beat, RhythmReading
from inference_service.rhythm.from_notes.bars import Bars
from inference_service.rhythm.from_notes.readings import compare
from inference_service.rhythm.from_notes.score_network import QUARTER_PARTS

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


def test_bars_may_begin_at_the_eighths_of_dotted_beats() -> None:
    dotted = tuple(Beat(1.5 * k, k % 2 + 1) for k in range(4))
    page = write((6, 8), 0, 0.0, 0.5)
    others = [write((6, 8), first, -1.0, 0.5) for first in (1, 2)]
    found = compare([page, *others], 1.0, TIMES_S, dotted)
    assert [r.first_beat for r in found] == pytest.approx([1, 1 + 1 / 3, 1 + 2 / 3])


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_other_values_keep_the_first_beat_in_time(scale: float) -> None:
    found = read(write((4, 4), 1, -1.0, scale))[1]
    assert (found.beat_scale, found.first_beat) == (scale, 2.0)


def test_probabilities_are_the_softmax_of_sharpened_scores() -> None:
    found = read(write((3, 4), 0, -1.0), write((2, 4), 0, -2.0), sharpness=2.0)
    expected = np.exp([0.0, -2.0, -4.0])
    expected /= expected.sum()
    assert [reading.probability for reading in found] == pytest.approx(list(expected))


def test_a_bar_that_begins_after_the_last_note_is_extrapolated() -> None:
    bars = Bars((-2 * QUARTER_PARTS, 10 * QUARTER_PARTS), (12, 4))
    assert read(Written(QUARTERS, bars, -1.0))[1].first_beat == 11.0
