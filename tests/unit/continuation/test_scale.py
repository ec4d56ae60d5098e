"""Ladders of pitches, and the scales of chords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.continuation.degrees import DIMINISHED, MAJOR, MINOR
from inference_service.continuation.scale import Ladder, build_harmony

C_MAJOR = Ladder((0, 2, 4, 5, 7, 9, 11))
TRIAD = Ladder((0, 4, 7))


@given(st.integers(30, 100), st.integers(-9, 9))
def test_counting_undoes_climbing(pitch: int, rungs: int) -> None:
    start = TRIAD.nearest(pitch)
    assert TRIAD.count(start, TRIAD.climb(start, rungs)) == rungs
    if rungs and pitch not in TRIAD:
        assert TRIAD.count(pitch, TRIAD.climb(pitch, rungs)) == rungs


def test_the_first_rung_from_between_is_the_next_one() -> None:
    assert [TRIAD.climb(62, rungs) for rungs in (-2, -1, 1, 2)] == [55, 60, 64, 67]
    assert [TRIAD.nearest(pitch) for pitch in (61, 62, 63, 69)] == [60, 60, 64, 67]


@pytest.mark.parametrize("degree", [*MAJOR, *MINOR, *DIMINISHED])
@pytest.mark.parametrize("tonic", [0, 5, 11])
def test_scales_have_seven_tones_or_so_and_hold_the_chord(degree: str, tonic: int) -> None:
    harmony = build_harmony(degree, tonic)
    assert set(harmony.chord.classes) <= set(harmony.scale.classes)
    assert 5 <= len(harmony.scale.classes) <= 8
    assert harmony.root in harmony.chord.classes


def test_a_dominant_of_the_relative_minor_brings_its_leading_note() -> None:
    scale = build_harmony("III", 0).scale
    assert 8 in scale.classes
    assert 7 not in scale.classes
    assert 9 in scale.classes
    assert build_harmony("bVII", 0).scale.classes == (0, 2, 4, 5, 7, 9, 10)
