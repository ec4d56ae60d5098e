"""Harte labels and the chord symbols of lead sheets."""

from __future__ import annotations

from fractions import Fraction

import pytest

from inference_service.music.chords import (
    label_chord,
    parse_chord,
    simplify_chords,
    simplify_label,
)
from inference_service.music.pitch import fifths_of, name_of
from inference_service.music.score import ScoreChord


@pytest.mark.parametrize(
    ("label", "root", "kind", "text", "bass"),
    [
        ("C", "C", "major", "", None),
        ("C:maj", "C", "major", "", None),
        ("A:min7", "A", "minor-seventh", "m7", None),
        ("Bb:7", "Bb", "dominant", "7", None),
        ("F#:hdim7", "F#", "half-diminished", "m7♭5", None),
        ("E:min/5", "E", "minor", "m", 1),
        ("C:maj/b7", "C", "major", "", -2),
        ("D:maj/1", "D", "major", "", None),
        ("G:sus4(b7)", "G", "suspended-fourth", "7sus4", None),
        ("G:sus4(b7)/5", "G", "suspended-fourth", "7sus4", 1),
        ("G:sus4(b7,9)", "G", "suspended-fourth", "sus4", None),
        ("G:7(#9)", "G", "dominant", "7", None),
        ("Eb:minmaj7", "Eb", "major-minor", "m(maj7)", None),
        ("C:(1,5)", "C", "major", "", None),
        ("C:strange", "C", "major", "", None),
    ],
)
def test_labels_are_read(label: str, root: str, kind: str, text: str, bass: int | None) -> None:
    chord = parse_chord(label)
    assert chord is not None
    assert (chord.root, chord.kind, chord.text, chord.bass_fifths) == (root, kind, text, bass)


@pytest.mark.parametrize("label", ["N", "X", "", "H:maj", "c:maj", "C:maj/", "C:maj7(", "C:maj\n"])
def test_no_chord_and_no_label_are_none(label: str) -> None:
    assert parse_chord(label) is None


@pytest.mark.parametrize(
    ("label", "simple"),
    [
        ("C", "C:maj"),
        ("C:maj/3", "C:maj"),
        ("Bb:min9/b3", "Bb:min7"),
        ("F#:hdim7", "F#:hdim7"),
        ("A:sus4", "A:maj"),
        ("G:sus4(b7)", "G:7"),
        ("E:maj6", "E:maj"),
        ("D:13", "D:7"),
        ("D:dim", "D:dim"),
        ("A:5", "A:5"),
        ("C:strange", "C:maj"),
        ("N", "N"),
        ("", ""),
    ],
)
def test_chords_become_triads_and_sevenths(label: str, simple: str) -> None:
    assert simplify_label(label) == simple
    assert simplify_label(simple) == simple


def test_symbols_that_become_equal_are_written_once() -> None:
    chords = [
        ScoreChord(Fraction(k), label)
        for k, label in enumerate(["C:maj", "C:maj6", "C:sus4/5", "G:9", "C:maj", "N"])
    ]
    simple = simplify_chords(chords)
    assert [(int(c.start_beats), c.label) for c in simple] == [
        (0, "C:maj"),
        (3, "G:7"),
        (4, "C:maj"),
        (5, "N"),
    ]


@pytest.mark.parametrize(
    "label",
    ["C:maj", "A:min7/b3", "F#:hdim7", "Bb:7/b7", "G:sus4", "D:13", "E:dim7/bb7", "B:aug/#5"],
)
def test_a_label_is_what_its_symbol_says(label: str) -> None:
    chord = parse_chord(label)
    assert chord is not None
    bass = name_of(fifths_of(chord.root) + (chord.bass_fifths or 0))
    assert label_chord(chord.root, chord.kind, bass=bass) == label


@pytest.mark.parametrize(
    ("kind", "degrees", "label"),
    [
        ("none", [], "N"),
        ("", [], "C:maj"),
        ("other", [("add", 5, 0)], "C:maj(5)"),
        ("dominant", [("add", 9, -1), ("alter", 5, 1)], "C:7(b9,*5,#5)"),
        ("major", [("subtract", 3, 0)], "C:maj(*3)"),
        ("suspended-fourth", [("add", 7, -1)], "C:sus4(b7)"),
        ("major-11th", [], "C:maj9"),
        ("augmented-ninth", [], "C:aug"),
        ("Tristan", [], "C:hdim7"),
    ],
)
def test_symbols_become_labels(kind: str, degrees: list[tuple[str, int, int]], label: str) -> None:
    assert label_chord("C", kind, degrees) == label


def test_a_symbol_without_a_root_has_no_label() -> None:
    assert label_chord("", "major") is None
