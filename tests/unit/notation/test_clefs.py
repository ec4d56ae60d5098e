"""The choice of clefs and octave lines."""

from __future__ import annotations

from fractions import Fraction

import pytest

from inference_service.music.metre import COMMON_TIME
from inference_service.music.score import Bar, ScoreNote, ScorePart
from inference_service.notation.clefs import Clef, OctaveLine, choose_clefs, find_octave_lines


def bars(count: int) -> list[Bar]:
    return [Bar(k + 1, Fraction(4 * k), Fraction(4), COMMON_TIME) for k in range(count)]


def quarters(pitches: list[int], *, staff: int = 1, voice: int = 1) -> tuple[ScoreNote, ...]:
    return tuple(
        ScoreNote(Fraction(k), Fraction(1), p, staff=staff, voice=voice)
        for k, p in enumerate(pitches)
    )


@pytest.mark.parametrize(
    ("program", "pitch", "clef"),
    [
        (0, 72, Clef.TREBLE),
        (25, 52, Clef.TREBLE_8VB),
        (33, 36, Clef.BASS_8VB),
        (41, 60, Clef.ALTO),
        (42, 48, Clef.BASS),
        (52, 50, Clef.TREBLE_8VB),
        (52, 60, Clef.TREBLE_8VB),
        (52, 62, Clef.TREBLE),
        (52, 67, Clef.TREBLE),
        (None, 40, Clef.BASS),
        (73, 58, Clef.BASS),
        (73, 60, Clef.TREBLE),
    ],
)
def test_a_part_has_the_clef_of_its_instrument(program: int | None, pitch: int, clef: Clef) -> None:
    part = ScorePart("part", "Part", quarters([pitch] * 8), program)
    assert choose_clefs(part, 1, bars(2)) == [clef, clef]


@pytest.mark.parametrize(
    ("clef", "pitch", "lines"),
    [
        (Clef.TREBLE, 60, 1),
        (Clef.TREBLE, 64, 0),
        (Clef.TREBLE, 81, 1),
        (Clef.BASS, 60, 1),
        (Clef.BASS, 36, 2),
        (Clef.BASS_8VB, 28, 1),
    ],
)
def test_ledger_lines(clef: Clef, pitch: int, lines: int) -> None:
    assert clef.ledger_lines(pitch) == lines


def test_a_left_hand_that_stays_high_changes_clef_and_back() -> None:
    pitches = [48] * 8 + [76] * 12 + [48] * 8
    part = ScorePart("piano", "Piano", quarters(pitches, staff=2), 0, staves=2)
    assert choose_clefs(part, 2, bars(7)) == [Clef.BASS] * 2 + [Clef.TREBLE] * 3 + [Clef.BASS] * 2


def test_a_short_excursion_changes_nothing() -> None:
    pitches = [48, 48, 67, 67, 48, 48, 48, 48]
    part = ScorePart("piano", "Piano", quarters(pitches, staff=2), 0, staves=2)
    assert choose_clefs(part, 2, bars(2)) == [Clef.BASS] * 2


def test_a_high_passage_has_an_octave_line_and_a_single_high_note_none() -> None:
    notes = quarters([72, 72, 96, 72, 100, 101, 103, 100, 101, 103, 72, 72])
    assert find_octave_lines(notes, [Clef.TREBLE] * 3, bars(3)) == [
        OctaveLine(Fraction(4), Fraction(9), 1)
    ]


def test_very_high_is_two_octaves_and_low_is_below() -> None:
    high = find_octave_lines(quarters([115] * 8), [Clef.TREBLE] * 2, bars(2))
    assert [line.octaves for line in high] == [2]
    low = find_octave_lines(quarters([21] * 8), [Clef.BASS] * 2, bars(2))
    assert [line.octaves for line in low] == [-1]


def test_a_line_begins_with_the_bar_where_there_are_two_voices() -> None:
    upper = quarters([84, 100, 101, 101, 101, 101, 101, 101])
    lower = quarters([81] * 8, voice=2)
    (line,) = find_octave_lines(upper + lower, [Clef.TREBLE] * 2, bars(2))
    assert line == OctaveLine(Fraction(0), Fraction(7), 1)


def test_drums_and_silence_have_no_octave_lines() -> None:
    assert find_octave_lines([], [Clef.TREBLE], bars(1)) == []
    assert find_octave_lines(quarters([100] * 4), [Clef.PERCUSSION], bars(1)) == []
