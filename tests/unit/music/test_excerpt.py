"""Excerpts of scores, and scores appended to one another."""

from __future__ import annotations

from fractions import Fraction

import pytest

from inference_service.music.events import Key
from inference_service.music.excerpt import append_score, cut_score
from inference_service.music.score import (
    KeyChange,
    Score,
    ScoreChord,
    ScoreMark,
    ScoreNote,
    ScorePart,
    TimeChange,
)

C, G = Key("C", "major"), Key("G", "major")


def _note(start: float, length: float, pitch: int = 60) -> ScoreNote:
    return ScoreNote(Fraction(start), Fraction(length), pitch)


def _part(id_: str, *notes: ScoreNote) -> ScorePart:
    return ScorePart(id_, id_, notes)


PIECE = Score(
    "Piece",
    90.0,
    "4/4",
    C,
    (_part("voice", _note(-1, 1), _note(0, 4), _note(7, 2), _note(9, 1), _note(12, 3)),),
    (ScoreChord(Fraction(-1), "C"), ScoreChord(Fraction(6), "F"), ScoreChord(Fraction(8), "G")),
    pickup_beats=Fraction(1),
    time_changes=(TimeChange(12, 3),),
    key_changes=(KeyChange(8, G),),
    marks=(ScoreMark(Fraction(8), "A"),),
)


def test_an_excerpt_has_what_is_in_force_where_it_begins() -> None:
    cut = cut_score(PIECE, Fraction(4), Fraction(12))
    assert [(n.start_beats, n.duration_beats) for n in cut.parts[0].notes] == [(3, 2), (5, 1)]
    assert cut.chords == (ScoreChord(Fraction(0), "C"), ScoreChord(Fraction(2), "F"),
                          ScoreChord(Fraction(4), "G"))  # fmt: skip
    assert (cut.key, cut.key_changes) == (C, (KeyChange(4, G),))
    assert cut.marks == (ScoreMark(Fraction(4), "A"),)
    assert len(cut.bars()) == 2


def test_the_last_bars_have_their_own_key_and_metre() -> None:
    cut = cut_score(PIECE, Fraction(12), Fraction(15))
    assert (cut.key, cut.time_signature, cut.time_changes, cut.key_changes) == (G, "3/4", (), ())
    assert cut.chords == (ScoreChord(Fraction(0), "G"),)


def test_notes_over_the_end_are_cut() -> None:
    cut = cut_score(PIECE, Fraction(4), Fraction(8))
    assert [(n.start_beats, n.duration_beats) for n in cut.parts[0].notes] == [(3, 1)]


def test_an_excerpt_from_the_pickup_keeps_it() -> None:
    cut = cut_score(PIECE, Fraction(-1), Fraction(4))
    assert cut.pickup_beats == 1
    assert [n.start_beats for n in cut.parts[0].notes] == [-1, 0]
    assert cut.chords == (ScoreChord(Fraction(-1), "C"),)


def test_a_piece_cut_in_two_is_whole_again() -> None:
    head = cut_score(PIECE, Fraction(-1), Fraction(8))
    tail = cut_score(PIECE, Fraction(8), Fraction(15))
    whole = append_score(head, tail, Fraction(8))
    cut_note = PIECE.parts[0].notes[2]
    assert cut_note.stop_beats > 8, "one note hangs over the cut, and is shortened"
    assert len(whole.parts[0].notes) == len(PIECE.parts[0].notes)
    assert whole.chords == PIECE.chords
    assert whole.time_changes == PIECE.time_changes
    assert whole.key_changes == PIECE.key_changes
    assert whole.marks == PIECE.marks


def test_parts_that_one_score_lacks_are_silent_there() -> None:
    other = Score("", 60.0, "4/4", C, (_part("bass", _note(0, 4)),), ())
    joined = append_score(cut_score(PIECE, Fraction(0), Fraction(4)), other, Fraction(4))
    assert [(p.id, [n.start_beats for n in p.notes]) for p in joined.parts] == [
        ("voice", [0]),
        ("bass", [4]),
    ]


@pytest.mark.parametrize(
    "second",
    [
        Score("", 60.0, "6/8", C, (), ()),
        Score("", 60.0, "4/4", C, (), (), pickup_beats=Fraction(1)),
    ],
)
def test_what_does_not_fit_is_refused(second: Score) -> None:
    with pytest.raises(ValueError, match=r"beats|full bar"):
        append_score(cut_score(PIECE, Fraction(0), Fraction(4)), second, Fraction(4))
