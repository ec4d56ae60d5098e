"""Lasting changes of key."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from inference_service.music.events import Key
from inference_service.music.pitch import name_of, pitch_class
from inference_service.music.score import KeyChange, Score, ScoreNote, ScorePart
from inference_service.notation.keys import find_key_changes, likelier_key

C = Key("C", "major")
CADENCE = [(48, 64, 67, 72), (53, 65, 69, 72), (55, 62, 67, 71), (48, 64, 67, 72)]


def progression(transpositions: list[int]) -> Score:
    """Return one bar with a cadence for each transposition."""
    notes = [
        ScoreNote(Fraction(4 * bar + beat), Fraction(1), pitch + semitones)
        for bar, semitones in enumerate(transpositions)
        for beat, chord in enumerate(CADENCE)
        for pitch in chord
    ]
    return Score("", 120.0, "4/4", C, (ScorePart("piano", "Piano", tuple(notes), 0),), ())


def test_a_lift_by_a_semitone_is_a_change_of_key() -> None:
    found = find_key_changes(progression([0] * 16 + [1] * 16))
    assert found.key == C
    assert found.key_changes == (KeyChange(64, Key("Db", "major")),)


def test_there_and_back_again() -> None:
    found = find_key_changes(progression([0] * 24 + [3] * 20 + [0] * 24))
    assert found.key_changes == (KeyChange(96, Key("Eb", "major")), KeyChange(176, C))


def test_an_excursion_keeps_its_accidentals() -> None:
    assert find_key_changes(progression([0] * 12 + [4] * 4 + [0] * 12)).key_changes == ()


def test_a_piece_that_begins_elsewhere_says_so_at_once() -> None:
    found = find_key_changes(progression([3] * 20 + [0] * 24))
    assert found.key == Key("Eb", "major")
    assert found.key_changes == (KeyChange(80, C),)


def test_the_key_of_the_whole_keeps_its_name_and_mode() -> None:
    minor = replace(progression([0] * 24), key=Key("A", "minor"))
    assert find_key_changes(minor).key == Key("A", "minor")
    sharps = replace(progression([1] * 24), key=Key("C#", "major"))
    assert find_key_changes(sharps).key == Key("C#", "major")


def test_short_pieces_drums_and_known_changes_are_left_alone() -> None:
    short = progression([0] * 6 + [1] * 6)
    assert find_key_changes(short) is short
    known = replace(progression([0] * 16 + [1] * 16), key_changes=(KeyChange(8, C),))
    assert find_key_changes(known) is known
    hits = tuple(ScoreNote(Fraction(k), Fraction(1), 36 + k % 12) for k in range(128))
    drums = Score("", 120.0, "4/4", C, (ScorePart("drums", "Drums", hits, None, True),), ())
    assert find_key_changes(drums) == drums


@pytest.mark.parametrize("fifths", range(-7, 8))
def test_a_signature_is_its_major_or_its_minor_key(fifths: int) -> None:
    major, minor = Key(name_of(fifths), "major"), Key(name_of(fifths + 3), "minor")
    for key, scale in ((major, (0, 2, 4, 5, 7, 9, 11)), (minor, (0, 2, 3, 5, 7, 8, 11))):
        beats = [0.0] * 12
        for degree, semitones in enumerate(scale):
            beats[(pitch_class(key.tonic) + semitones) % 12] = 3.0 if degree in (0, 4) else 1.0
        assert likelier_key(beats, fifths) == key
