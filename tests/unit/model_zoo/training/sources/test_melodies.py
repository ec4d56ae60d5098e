"""Melodies and their keys, found in small scores."""

from __future__ import annotations

import pytest

from model_zoo.training.sources.melodies import MIN_NOTES, find_key, find_lines, find_melody
from model_zoo.training.sources.scores import parse_score
from tests.unit.model_zoo.training.rhythm.pieces import (
    attributes,
    grace,
    note,
    parse,
    write_melody,
)


@pytest.mark.parametrize(
    ("steps", "tonic", "mode"),
    [("CDEFGFEDCEGEFEDC", 0, 0), ("ABCDEDCBAECBABCA", 9, 1), ("CDEFGFEDCEGEFEDE", 0, 0)],
)
def test_the_key_is_that_of_the_last_note_or_of_the_longest(
    steps: str, tonic: int, mode: int
) -> None:
    melody = find_melody(parse_score("tune", write_melody(steps)))
    assert melody is not None
    assert find_key(melody) == (tonic, mode)
    assert len(melody.pitch) == len(steps)


def test_short_pieces_have_no_melody() -> None:
    steps = "CDEFGAGFEDCC"
    assert len(steps) == MIN_NOTES
    assert find_melody(parse_score("tune", write_melody(steps))) is not None
    assert find_melody(parse_score("tune", write_melody(steps[1:]))) is None


def test_the_melody_is_the_top_of_the_first_part_with_one_staff() -> None:
    piano = [attributes(staves=2)] + [note("C6", 4, staff=1) + note("C6", 4)] * 8
    bar = grace("B5") + note("C4", 2) + note("E4", 2, chord=True) + note("G4", 6)
    voice = [attributes(fifths=-1) + bar] + [bar] * 8
    melody = find_melody(parse(piano, voice))
    assert melody is not None
    assert melody.pitch[:4].tolist() == [64, 67, 64, 67]
    assert melody.onset_q[:4].tolist() == [0, 1, 4, 5]
    assert melody.duration_q[:4].tolist() == [1, 3, 1, 3]


def test_the_beginning_is_taken() -> None:
    melody = find_melody(parse_score("tune", write_melody("CDEFGFEDCEGEFEDC", 1)))
    assert melody is not None
    beginning = melody.take(3)
    assert beginning.onset_q.tolist() == [0, 1, 2]
    assert beginning.pitch.tolist() == [60, 62, 64]
    assert beginning.fifths == melody.fifths == 1


def test_lines_are_voices_single_instruments_and_the_top_of_a_keyboard() -> None:
    bar = "".join(note(step, 2) for step in ("C4", "E4", "G4", "E4"))
    chords = (note("C3", 4) + note("E3", 4, chord=True)) * 2
    melody, harmony = ([attributes() + own] + [own] * 3 for own in (bar, chords))
    trio = find_lines(parse(melody, melody, harmony))
    assert len(trio) == 2, "chords are no line"
    assert len(find_lines(parse(melody, melody))) == 1, "the lower of two parts may accompany"
    top = "".join(note(step, 2, staff=1) for step in ("C5", "E5", "G5", "E5"))
    keyboard = [attributes(staves=2) + top] + [top] * 3
    (line,) = find_lines(parse(keyboard))
    assert line.pitch[:4].tolist() == [72, 76, 79, 76]
    assert len(find_lines(parse(keyboard, melody))) == 2
    assert find_lines(parse(harmony)) == []
