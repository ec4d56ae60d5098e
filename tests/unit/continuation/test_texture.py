"""Accompaniments adapted to other chords."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.continuation.analysis import analyse
from inference_service.continuation.degrees import DIMINISHED, MAJOR, MINOR
from inference_service.continuation.scale import build_harmony
from inference_service.continuation.texture import accompany, carry
from inference_service.music.events import Key
from inference_service.music.score import Score, ScoreChord, ScoreNote, ScorePart

DEGREES = st.sampled_from([*MAJOR, *MINOR, *DIMINISHED])


def _notes(*notes: tuple[float, float, int]) -> tuple[ScoreNote, ...]:
    return tuple(ScoreNote(Fraction(s), Fraction(d), p) for s, d, p in notes)


ALBERTI = _notes(*[(beat / 2, 0.5, (48, 55, 52, 55)[beat % 4]) for beat in range(16)])
BLOCKS = _notes(*[(bar * 4, 4, pitch) for bar in range(2) for pitch in (36, 60, 64, 67)])
DRUMS = _notes(*[(beat, 1, (36, 38)[beat % 2]) for beat in range(8)])


def _accompany(notes: tuple[ScoreNote, ...], *slots: tuple[str, ...], **part: Any) -> ScorePart:
    parts = (ScorePart("piano", "Piano", ALBERTI), ScorePart("x", "X", notes, **part))
    score = Score("", 100.0, "4/4", Key("C", "major"), parts, (ScoreChord(Fraction(0), "C"),))
    return accompany(parts, analyse(score, ()), slots, [4] * len(slots))[1]


def test_an_arpeggio_stays_one() -> None:
    played = _accompany(ALBERTI, ("IV",), ("V",))
    assert [note.pitch for note in played.notes[:4]] == [53, 60, 57, 60]
    assert [note.pitch for note in played.notes[8:12]] == [43, 59, 55, 59]
    assert [note.start_beats for note in played.notes] == [n.start_beats for n in ALBERTI]


def test_blocks_change_where_the_chord_does() -> None:
    played = _accompany(BLOCKS, ("IV", "V"))
    assert {note.pitch % 12 for note in played.notes} == {5, 9, 0}
    held = [n for n in played.notes if n.pitch % 12 in (5, 9, 0)]
    assert all(n.stop_beats == 2 for n in held), "no tone sounds into a chord that lacks it"


def test_the_bass_goes_on_roots() -> None:
    played = _accompany(BLOCKS, ("vi",))
    assert min(note.pitch for note in played.notes) % 12 == 9


def test_drums_play_on() -> None:
    played = _accompany(DRUMS, ("IV",), ("I",), is_drum=True)
    assert played.notes == DRUMS


@given(st.sets(st.integers(30, 90), min_size=1, max_size=6), DEGREES, DEGREES)
def test_chord_tones_stay_chord_tones_and_keep_their_order(
    struck: set[int], one: str, other: str
) -> None:
    old, new, pitches = build_harmony(one, 0), build_harmony(other, 0), sorted(struck)
    ways = carry(pitches, old, new, pitches[0])
    assert set(ways) == struck
    tones = [pitch for pitch in pitches if pitch in old.chord]
    assert [ways[p] for p in tones] == sorted({ways[p] for p in tones})
    assert all(ways[pitch] in new.chord for pitch in tones)
    assert all(abs(ways[pitch] - pitch) <= 16 for pitch in pitches)


def test_voices_are_led_by_the_nearest_way() -> None:
    ways = carry([48, 60, 64, 67], build_harmony("I", 0), build_harmony("IV", 0), 48)
    assert ways == {48: 53, 60: 60, 64: 65, 67: 69}


@pytest.mark.parametrize("degree", ["I", "vi", "V"])
def test_under_its_own_chord_a_diatonic_note_stays(degree: str) -> None:
    harmony = build_harmony(degree, 0)
    pitches = [pitch for pitch in range(48, 72) if pitch in harmony.scale]
    assert carry(pitches, harmony, harmony, 48) == {pitch: pitch for pitch in pitches}
