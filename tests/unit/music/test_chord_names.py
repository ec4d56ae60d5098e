"""Chords and keys as readers see them."""

from __future__ import annotations

import pytest

from inference_service.music.chord_names import read_chord, write_chord, write_key, write_label
from inference_service.music.chords import simplify_label
from inference_service.music.events import Key, Mode
from inference_service.music.pitch import (
    build_key,
    key_fifths,
    name_of,
    transpose_chord_label,
    transpose_key,
)

C, A_MINOR = Key("C", "major"), Key("A", "minor")


@pytest.mark.parametrize(
    ("label", "key", "text"),
    [
        ("E:7/3", A_MINOR, "E7/G♯"),
        ("B:7/3", Key("G", "major"), "B7/D♯"),
        ("C:aug7", C, "C+7"),
        ("Ab:7", Key("C#", "minor"), "G♯7"),
        ("A:min7/b3", C, "Am7/C"),
        ("F#:hdim7/b3", Key("G", "major"), "F♯m7♭5/A"),
        ("C:maj/b7", C, "C/B♭"),
        ("A:min7(9)", C, "Am7"),
        ("A:minsomething", C, "Am"),
        ("G:dim7", Key("G#", "minor"), "Gdim7"),
        ("G:7", Key("C#", "minor"), "G7"),
        ("D#:7/3", Key("G#", "minor"), "D♯7/G"),
        ("Cb:maj", Key("Db", "major"), "C♭"),
        ("B:maj", Key("Gb", "major"), "C♭"),
        ("E:maj7", Key("Ab", "major"), "Emaj7"),
        ("E:maj", Key("Cb", "major"), "F♭"),
        ("C:7", Key("F#", "major"), "C7"),
        ("C:dim", Key("C#", "major"), "B♯dim"),
        ("D#:maj", A_MINOR, "E♭"),
        ("A#:7", A_MINOR, "B♭7"),
        ("Eb:dim7", A_MINOR, "D♯dim7"),
        ("Eb:maj/5", A_MINOR, "E♭/B♭"),
        ("Ab:dim7", C, "G♯dim7"),
        ("G#:maj", C, "A♭"),
        ("Db:dim", C, "C♯dim"),
        ("N", C, ""),
        ("X", C, ""),
        ("", C, ""),
        ("<b>", C, ""),
    ],
)
def test_names(label: str, key: Key, text: str) -> None:
    assert write_label(label, key) == text


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_triads_of_a_scale_are_spelt_in_it(tonic: int, mode: Mode) -> None:
    key = build_key(tonic, mode)
    scale = {name_of(key_fifths(key) + step) for step in range(-1, 6)}
    qualities = {-1: "maj", 0: "maj", 1: "maj", 2: "min", 3: "min", 4: "min", 5: "dim"}
    for step, quality in qualities.items():
        written = write_chord(f"{name_of(key_fifths(key) + step)}:{quality}", key)
        assert written is not None
        assert written.root in scale


@pytest.mark.parametrize(
    ("label", "semitones", "key", "text"),
    [
        ("A:min", 3, A_MINOR, "Cm"),
        ("G:maj", 3, C, "B♭"),
        ("C:maj/3", 1, C, "D♭/F"),
        ("E:7/3", 4, A_MINOR, "G♯7/B♯"),
        ("C#:7/3", -2, Key("F#", "minor"), "B7/D♯"),
        ("B:maj", -24, C, "B"),
    ],
)
def test_transposed(label: str, semitones: int, key: Key, text: str) -> None:
    moved = transpose_key(key, semitones)
    assert write_label(transpose_chord_label(label, semitones, moved), moved) == text


def test_simplified() -> None:
    assert write_label(simplify_label("E:9/3"), A_MINOR) == "E7"


def test_the_parts_of_a_name() -> None:
    name = write_chord("Eb:minmaj7/5", Key("Bb", "major"))
    assert name is not None
    assert (name.root, name.kind, name.suffix, name.bass) == ("Eb", "major-minor", "m(maj7)", "Bb")
    assert name.text == "E♭m(maj7)/B♭"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("C", "C:maj"),
        ("F♯m7♭5/A", "F#:hdim7/b3"),
        ("F#m7b5/A", "F#:hdim7/b3"),
        ("Bb", "Bb:maj"),
        ("Bdim", "B:dim"),
        ("C+7", "C:aug7"),
        ("G7sus4/D", "G:sus4(b7)/5"),
        ("A:min7/b3", "A:min7/b3"),
        ("N.C.", "N"),
        ("N", "N"),
        ("Verse", None),
        ("[A]", None),
        ("", None),
        ("C" * 1000, None),
    ],
)
def test_names_are_read(text: str, label: str | None) -> None:
    assert read_chord(text) == label


def test_keys_have_names() -> None:
    assert [write_key(build_key(tonic, "minor")) for tonic in (1, 10)] == ["C♯m", "B♭m"]
    assert write_key(C) == "C"
