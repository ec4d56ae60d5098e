"""Written scores: their bars and their transposition."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from inference_service.music.events import Key
from inference_service.music.score import (
    KeyChange,
    Score,
    ScoreChord,
    ScoreMark,
    ScoreNote,
    ScorePart,
    TimeChange,
    fold_pitch,
    transpose_score,
)

PIECE = Score(
    "Piece",
    100.0,
    "4/4",
    Key("C", "major"),
    (
        ScorePart("vocals", "Vocals", (ScoreNote(Fraction(-1), Fraction(10), 60),)),
        ScorePart("drums", "Drums", (ScoreNote(Fraction(0), Fraction(1), 36),), is_drum=True),
    ),
    (ScoreChord(Fraction(0), "A:min7/b3"), ScoreChord(Fraction(4), "N")),
    pickup_beats=Fraction(1),
    time_changes=(TimeChange(4, 3),),
)


def test_bars_run_from_the_pickup_through_the_last_note() -> None:
    bars = PIECE.bars()
    assert [(b.number, b.start_beats, b.length_beats) for b in bars] == [
        (0, -1, 1),
        (1, 0, 4),
        (2, 4, 3),
        (3, 7, 3),
    ]
    assert [str(b.signature) for b in bars] == ["4/4", "4/4", "3/4", "3/4"]


def test_an_empty_score_has_one_bar() -> None:
    empty = Score("", 120.0, "3/4", Key("C", "major"), (), ())
    assert [(b.number, b.stop_beats) for b in empty.bars()] == [(1, 3)]


def test_transposing_moves_notes_chords_and_key_but_no_drums() -> None:
    moved = transpose_score(PIECE, -2)
    assert [part.notes[0].pitch for part in moved.parts] == [58, 36]
    assert [chord.label for chord in moved.chords] == ["G:min7/b3", "N"]
    assert moved.key == Key("Bb", "major")
    assert transpose_score(PIECE, 0) is PIECE


def test_transposing_keeps_marks() -> None:
    marks = (ScoreMark(Fraction(4), "B"),)
    assert transpose_score(replace(PIECE, marks=marks), 3).marks == marks


def test_the_key_holds_from_its_bar_line_and_moves_with_the_notes() -> None:
    piece = replace(PIECE, key_changes=(KeyChange(4, Key("A", "minor")),))
    keys = [piece.key_at(Fraction(place)) for place in (-1, 3, 4, 9)]
    assert keys == [Key("C", "major")] * 2 + [Key("A", "minor")] * 2
    assert transpose_score(piece, 2).key_changes == (KeyChange(4, Key("B", "minor")),)


@pytest.mark.parametrize(("pitch", "folded"), [(-1, 11), (128, 116), (60, 60), (150, 126)])
def test_pitches_fold_into_midis_range(pitch: int, folded: int) -> None:
    assert fold_pitch(pitch) == folded
