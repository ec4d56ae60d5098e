"""Time signatures and bars."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from inference_service.music.events import Beat, Transcription
from inference_service.music.metre import (
    COMMON_TIME,
    MAX_BEAT_S,
    TimeSignature,
    align,
    parse_time_signature,
)
from tests.factories import perform


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4/4", TimeSignature(4, 4)),
        (" 6 / 8", TimeSignature(6, 8)),
        ("2/2", TimeSignature(2, 2)),
        ("", COMMON_TIME),
        ("0/4", COMMON_TIME),
        ("4/5", COMMON_TIME),
        ("-3/4", COMMON_TIME),
        ("999/4", COMMON_TIME),
    ],
)
def test_a_signature_is_read_or_is_common_time(text: str, expected: TimeSignature) -> None:
    assert parse_time_signature(text) == expected


@pytest.mark.parametrize(
    ("text", "compound", "quarters"),
    [("3/4", False, 1), ("6/8", True, Fraction(1, 2)), ("12/8", True, Fraction(1, 2)),
     ("3/8", False, Fraction(1, 2)), ("2/2", False, 2)],
)  # fmt: skip
def test_a_beat_is_what_the_lower_number_says(
    text: str, compound: bool, quarters: Fraction
) -> None:
    signature = parse_time_signature(text)
    assert signature.is_compound is compound
    assert signature.beat_quarters == quarters


def with_beats(positions: list[int], signature: str = "4/4", step_s: float = 0.5) -> Transcription:
    beats = tuple(Beat(k * step_s, position) for k, position in enumerate(positions))
    return replace(perform({}), beats=beats, time_signature=signature)


def test_bars_begin_at_downbeats_and_go_on_on_both_sides() -> None:
    bars = align(with_beats([3, 4, 1, 2, 3, 4, 1, 2]))
    assert bars.downbeats == (2, 6)
    assert bars.bar_starts(-3.0, 11.0) == [-6, -2, 2, 6, 10, 14]


def test_beats_of_a_compound_metre_are_divided_in_three() -> None:
    bars = align(with_beats([1, 2, 1, 2, 1], "6/8", 0.75))
    assert bars.downbeats == (0, 6, 12)
    assert bars.grid.to_beats(0.5) == pytest.approx(2.0)
    assert bars.tempo_bpm == pytest.approx(360)


def test_eighths_of_a_compound_metre_are_left_alone() -> None:
    bars = align(with_beats([1, 2, 3, 4, 5, 6, 1, 2], "6/8"))
    assert bars.downbeats == (0, 6)
    assert bars.tempo_bpm == pytest.approx(120)


def test_a_tracker_that_calls_every_beat_a_downbeat_is_not_believed() -> None:
    assert align(with_beats([1] * 9)).bar_starts(0, 8) == [0, 4, 8]


def test_bars_that_last_too_long_are_parted() -> None:
    bars = align(with_beats([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2]))
    assert bars.downbeats == (0, 4, 10)


def test_long_gaps_are_filled_with_beats() -> None:
    performance = replace(perform({}), beats=(Beat(0.0, 1), Beat(30.0, 2), Beat(30.5, 3)))
    times_s = [beat.time_s for beat in align(performance).grid.beats]
    assert max(b - a for a, b in pairwise(times_s)) <= MAX_BEAT_S
    assert 30.0 in times_s


def test_no_beats_at_all_make_steady_bars() -> None:
    bars = align(replace(perform({}), beats=(), tempo_bpm=90.0))
    assert bars.grid.to_seconds(3) == pytest.approx(2.0)
    assert bars.bar_starts(0, 1) == [0, 4]
