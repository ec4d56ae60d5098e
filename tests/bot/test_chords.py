"""Chord labels as musicians read them."""

from __future__ import annotations

import pytest

from bot.chords import NO_CHORD, Bar, bars, chord_name, fifths, opening
from bot.client.types import Beat, ChordSegment, Key

C_MAJOR = Key("C", "major")


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("A:min", "Am"),
        ("Bb", "B♭"),
        ("F#:maj", "F♯"),
        ("C:7", "C7"),
        ("E:min7", "Em7"),
        ("B:hdim7", "Bm7♭5"),
        ("D:maj7", "Dmaj7"),
        ("G:sus4", "Gsus4"),
        ("C:maj/3", "C/E"),
        ("A:min/b3", "Am/C"),
        ("C:maj/b7", "C/B♭"),
        ("A:min7(9)", "Am7"),
        ("A:minsomething", "Am"),
        ("N", NO_CHORD),
        ("X", NO_CHORD),
        ("", NO_CHORD),
        ("<b>", NO_CHORD),
    ],
)
def test_names(label: str, name: str) -> None:
    assert chord_name(label, C_MAJOR) == name


@pytest.mark.parametrize(
    ("label", "shift", "key", "name"),
    [
        ("A:min", 3, Key("C", "minor"), "Cm"),
        ("G:maj", 3, Key("Eb", "major"), "B♭"),
        ("G:maj", 4, Key("E", "major"), "B"),
        ("C:maj/3", 1, Key("Db", "major"), "D♭/F"),
        ("D:maj", 4, Key("E", "major"), "F♯"),
        ("F:maj", 5, Key("C", "major"), "B♭"),
        ("B:maj", -24, Key("C", "major"), "B"),
    ],
)
def test_transposed(label: str, shift: int, key: Key, name: str) -> None:
    assert chord_name(label, key, transpose_semitones=shift) == name


@pytest.mark.parametrize(
    ("tonic", "mode", "count"),
    [
        ("C", "major", 0),
        ("A", "minor", 0),
        ("D", "major", 2),
        ("C", "minor", -3),
        ("F#", "major", 6),
        ("Gb", "major", -6),
        ("C#", "minor", 4),
        ("Bb", "minor", -5),
    ],
)
def test_fifths(tonic: str, mode: str, count: int) -> None:
    assert fifths(Key(tonic, mode)) == count  # type: ignore[arg-type]


def _segments(*labels: str, length_s: float = 2.0) -> list[ChordSegment]:
    return [
        ChordSegment(length_s * index, length_s * (index + 1), label)
        for index, label in enumerate(labels)
    ]


def test_opening_skips_silence_and_repetitions() -> None:
    labels = _segments("N", "A:min", "A:min", "F", "N", "C")
    assert opening(labels, C_MAJOR, 2) == ["Am", "F"]


def test_bars_with_a_pickup_and_a_change_inside() -> None:
    beats = [Beat(0.5 * index, (index + 2) % 4 + 1) for index in range(10)]
    chords = [
        ChordSegment(0.0, 1.05, "G:7"),  # a little late: the downbeat is still the next chord's
        ChordSegment(1.05, 4.0, "C"),
        ChordSegment(4.0, 9.0, "F"),
    ]
    assert bars(chords, beats, C_MAJOR) == [
        Bar(0.0, ("G7",)),
        Bar(1.0, ("C",)),
        Bar(3.0, ("C", "F")),
    ]


def test_bars_before_the_first_chord_and_without_any() -> None:
    beats = [Beat(0.5 * index, index % 4 + 1) for index in range(8)]
    assert bars([ChordSegment(2.0, 4.0, "C")], beats, C_MAJOR) == [
        Bar(0.0, (NO_CHORD,)),
        Bar(2.0, ("C",)),
    ]
    assert bars([], beats, C_MAJOR) == []
    assert bars(_segments("C"), [], C_MAJOR) == []
