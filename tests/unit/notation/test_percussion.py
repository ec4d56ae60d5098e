"""Drum hits are merged into strokes that a drummer can play."""

from __future__ import annotations

from fractions import Fraction

from inference_service.music.score import ScoreNote
from inference_service.notation.percussion import merge_strokes

KICK, SIDE_STICK, SNARE, CLAP, CLOSED, PEDAL, OPEN, CRASH = 36, 37, 38, 39, 42, 44, 46, 49


def merged(*hits: tuple[int, int]) -> set[int]:
    """Return what is written of hits, given as (key, velocity), at one position."""
    notes = [ScoreNote(Fraction(0), Fraction(1), key, velocity) for key, velocity in hits]
    return {note.pitch for note in merge_strokes(notes)}


def test_a_staff_place_has_the_loudest_hit() -> None:
    assert merged((SNARE, 100), (CLAP, 60), (SIDE_STICK, 70)) == {SNARE}
    assert merged((CLOSED, 50), (OPEN, 90)) == {OPEN}


def test_two_hands_and_the_feet() -> None:
    everything = ((CLOSED, 40), (SNARE, 100), (CRASH, 90), (KICK, 80), (PEDAL, 30))
    assert merged(*everything) == {SNARE, CRASH, KICK, PEDAL}


def test_other_positions_are_other_strokes() -> None:
    notes = [ScoreNote(Fraction(k, 2), Fraction(1, 2), SNARE) for k in range(4)]
    assert merge_strokes(notes) == notes
