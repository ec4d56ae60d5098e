"""Notes that were heard too long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference_service.notation.quantize import quantize
from tests.factories import perform


def test_a_note_that_rings_on_gets_no_bar_of_its_own() -> None:
    chord = [(4, 4, 60), (4, 4, 64), (4, 6, 67)]
    score = quantize(perform({"piano": [(0, 4, 72), *chord]}), "")
    assert len(score.bars()) == 2
    assert score.stop_beats == 8


def test_a_last_chord_that_is_released_late_ends_with_its_bar() -> None:
    assert quantize(perform({"piano": [(0, 4, 72), (4, 5, 60), (4, 5, 64)]}), "").stop_beats == 8


def test_a_last_chord_that_is_held_is_written_in_full() -> None:
    chord = [(4, 6, 60), (4, 6, 64), (4, 4, 67)]
    score = quantize(perform({"piano": [(0, 4, 72), *chord]}), "")
    assert score.stop_beats == 10


def test_a_note_that_is_held_alone_for_a_bar_is_written_in_full() -> None:
    chord = [(4, 4, 60), (4, 4, 64), (4, 8, 67)]
    assert quantize(perform({"piano": [(0, 4, 72), *chord]}), "").stop_beats == 12


@pytest.mark.parametrize(
    ("chord", "duration"),
    [("A:min", 2), ("A:min/b3", 4), ("G:maj/4", 4), ("C:7", 4), ("N", 4)],
)
def test_a_bass_is_not_held_into_a_bar_whose_chord_it_contradicts(
    chord: str, duration: int
) -> None:
    music = perform(
        {"bass": [(0, 2, 36), (2, 4, 36), (6, 2, 41)], "piano": [(0, 4, 60), (4, 4, 60)]},
        chords=[(0, 4, "C:maj"), (4, 8, chord)],
    )
    bass, piano = music.parts
    music = replace(music, parts=(replace(bass, program=33), piano))
    assert quantize(music, "").parts[0].notes[1].duration_beats == duration
