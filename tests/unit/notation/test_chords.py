"""Harte labels as lead sheets write them."""

from __future__ import annotations

import pytest

from inference_service.notation.chords import parse_chord


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
        ("G:sus4(b7)", "G", "suspended-fourth", "sus4", None),
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
