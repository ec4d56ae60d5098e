"""The common form of all sources."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inference_service.music.events import ChordSegment
from model_zoo.training.sources.piece import Piece, change_tempo, count_positions, cut, end_of
from tests.unit.model_zoo.training.sources.pieces import line, piece


def build_piece() -> Piece:
    held = replace(
        line([[0.0, 2.0, 60, 80], [2.0, 4.0, 62, 80]], name="Left"),
        pedal=np.array([[0.5, 127.0], [2.5, 0.0]]),
    )
    chords = (ChordSegment(0.0, 1.5, "C"), ChordSegment(1.5, 4.0, "G:7"))
    return replace(piece(held), chords=chords)


def test_a_cut_keeps_what_begins_inside_and_clips_chords() -> None:
    excerpt = cut(build_piece(), 1.0, 3.0)
    assert excerpt.lines[0].notes.tolist() == [[1.0, 2.0, 62, 80]]
    assert excerpt.lines[0].pedal.tolist() == [[1.5, 0.0]]
    assert excerpt.lines[0].name == "Left"
    assert excerpt.beats_s.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert excerpt.positions.tolist() == [3, 4, 1, 2]
    assert excerpt.chords == (ChordSegment(0.0, 0.5, "C"), ChordSegment(0.5, 2.0, "G:7"))


def test_a_change_of_tempo_applies_to_all_times() -> None:
    fast = change_tempo(build_piece(), 2.0)
    assert fast.lines[0].notes[:, :2].tolist() == [[0.0, 1.0], [1.0, 2.0]]
    assert fast.lines[0].pedal[:, 0].tolist() == [0.25, 1.25]
    assert fast.beats_s[:3].tolist() == [0.0, 0.25, 0.5]
    assert [chord.end_s for chord in fast.chords] == [0.75, 2.0]
    assert end_of(fast) == 2.0


def test_a_piece_without_notes_ends_at_once() -> None:
    assert end_of(piece()) == 0.0


def test_beats_before_the_first_downbeat_lead_to_it() -> None:
    assert count_positions(7, np.array([2, 6]), 4).tolist() == [3, 4, 1, 2, 3, 4, 1]
    assert count_positions(5, np.array([], int), 3).tolist() == [1, 2, 3, 1, 2]
