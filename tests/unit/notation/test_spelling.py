"""Pitch spelling, after textbook examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.music.events import Key, Mode
from inference_service.music.pitch import build_key, fifths_of, name_of
from inference_service.notation.spelling import (
    PitchName,
    spell,
    spell_by_neighbours,
)

MODES: tuple[Mode, ...] = ("major", "minor")
C, A_MINOR = Key("C", "major"), Key("A", "minor")


def text(name: PitchName) -> str:
    return (
        name.step + ("#" * name.alter if name.alter > 0 else "b" * -name.alter) + str(name.octave)
    )


@pytest.mark.parametrize(
    ("key", "pitches", "expected"),
    [
        (C, [60, 62, 64, 65, 67, 69, 71], "C4 D4 E4 F4 G4 A4 B4"),
        (C, [66, 70, 63], "F#4 Bb4 Eb4"),
        (A_MINOR, [68, 66], "G#4 F#4"),
        (Key("C", "minor"), [63, 68, 71, 69], "Eb4 Ab4 B4 A4"),
        (Key("Gb", "major"), [71, 59, 66], "Cb5 Cb4 Gb4"),
        (Key("F#", "major"), [65, 77], "E#4 E#5"),
        (Key("G#", "minor"), [67], "F##4"),
        (Key("Bb", "minor"), [69], "A4"),
    ],
)
def test_keys_spell_their_scales(key: Key, pitches: list[int], expected: str) -> None:
    assert " ".join(text(spell(pitch, key)) for pitch in pitches) == expected


@pytest.mark.parametrize(
    ("label", "pitch", "expected"),
    [
        ("E:7", 68, "G#4"),
        ("A:7", 61, "C#4"),
        ("F:min", 68, "Ab4"),
        ("B:dim7", 68, "Ab4"),
        ("C:aug", 68, "G#4"),
        ("D:maj/3", 66, "F#4"),
        ("N", 68, "Ab4"),
        ("no label", 68, "Ab4"),
    ],
)
def test_chords_spell_their_notes_from_the_root(label: str, pitch: int, expected: str) -> None:
    assert text(spell(pitch, C, label)) == expected


def test_a_chromatic_step_up_changes_letter() -> None:
    assert text(spell(61, C, next_pitch=62)) == "C#4"
    assert text(spell(61, C, next_pitch=60)) == "Db4"
    assert text(spell(68, C, next_pitch=69)) == "G#4"


@given(st.integers(0, 127), st.integers(0, 11), st.sampled_from(["major", "minor"]))
def test_a_name_sounds_as_its_pitch(pitch: int, tonic: int, mode: str) -> None:
    name = spell(pitch, build_key(tonic, mode))  # type: ignore[arg-type]
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    sounding = 12 * (name.octave + 1) + steps[name.step] + name.alter
    assert (sounding - pitch) % 12 == 0
    assert sounding == pitch or pitch < 13
    assert abs(name.alter) <= 2


def test_the_line_of_fifths_has_names() -> None:
    assert all(fifths_of(name_of(place)) == place for place in range(-15, 20))


def names(pitches: list[int], key: Key) -> list[str | None]:
    found = spell_by_neighbours(pitches, [key] * len(pitches))
    return [None if place is None else name_of(place) for place in found]


def test_neighbours_decide_the_spelling() -> None:
    e_major = [64, 68, 71, 66, 69, 73, 63, 64] * 12
    assert set(names(e_major, C)) == {"E", "G#", "B", "F#", "A", "C#", "D#"}
    a_flat_major = [56, 60, 63, 58, 61, 65, 55, 56] * 12
    assert set(names(a_flat_major, C)) == {"Ab", "C", "Eb", "Bb", "Db", "F", "G"}


def test_minors_raised_degrees_are_spelt_as_raised() -> None:
    rising = [57, 59, 60, 62, 64, 66, 68, 69] * 4
    assert names(rising, A_MINOR)[:8] == ["A", "B", "C", "D", "E", "F#", "G#", "A"]
    g_sharp = [56, 58, 59, 61, 63, 64, 67, 68] * 4
    assert "F##" in names(g_sharp, Key("G#", "minor"))


def test_few_notes_are_spelt_by_the_tonic() -> None:
    assert names([66, 66, 65, 66], C) == ["F#", "F#", "F", "F#"]
    assert names([], C) == []


def test_a_chord_and_a_step_outweigh_the_neighbours() -> None:
    assert text(spell(68, A_MINOR, "E:7", neighbours_fifths=fifths_of("Ab"))) == "G#4"
    assert text(spell(61, C, next_pitch=62, neighbours_fifths=fifths_of("Db"))) == "C#4"
    assert text(spell(61, C, neighbours_fifths=fifths_of("C#"))) == "C#4"


@pytest.mark.parametrize(
    ("key", "raised", "lowered"),
    [
        (C, "C#4 D4 D#4 F#4 A#4", "Db4 D4 Eb4 Gb4 Bb4"),
        (Key("A", "major"), "C#4 D4 D#4 F#4 A#4", "C#4 D4 Eb4 F#4 Bb4"),
        (Key("Db", "major"), "Db4 D4 Eb4 Gb4 Bb4", "Db4 D4 Eb4 Gb4 Bb4"),
        (Key("F#", "major"), "C#4 D4 D#4 F#4 A#4", "C#4 D4 D#4 F#4 A#4"),
    ],
)
def test_foreign_notes_are_raised_or_lowered_as_wanted(key: Key, raised: str, lowered: str) -> None:
    pitches = (61, 62, 63, 66, 70)
    for inflection, expected in ((1, raised), (-1, lowered)):
        names = [text(spell(pitch, key, inflection=inflection)) for pitch in pitches]
        assert " ".join(names) == expected


@given(st.integers(0, 127), st.integers(0, 11), st.sampled_from([-1, 1]))
def test_no_inflection_needs_a_double_accidental(pitch: int, tonic: int, inflection: int) -> None:
    for mode in MODES:
        key = build_key(tonic, mode)
        name = spell(pitch, key, inflection=inflection)
        assert abs(name.alter) <= 1 or key.tonic == "G#"
