"""Chords as degrees, and their functions."""

from __future__ import annotations

import pytest

from inference_service.continuation.degrees import (
    DIMINISHED,
    FUNCTIONS,
    MAJOR,
    MINOR,
    find_function,
    find_interval,
    find_triad,
    name_degree,
    signature_tonic,
)
from inference_service.music.events import Key


@pytest.mark.parametrize(
    ("key", "tonic"),
    [
        (Key("C", "major"), 0),
        (Key("A", "minor"), 0),
        (Key("F#", "minor"), 9),
        (Key("Bb", "major"), 10),
        (Key("Bb", "minor"), 1),
    ],
)
def test_minor_keys_are_read_in_their_relative_major(key: Key, tonic: int) -> None:
    assert signature_tonic(key) == tonic


@pytest.mark.parametrize(
    ("label", "tonic", "degree"),
    [
        ("C:maj", 0, "I"),
        ("C", 0, "I"),
        ("C:7", 5, "V"),
        ("D:min7/b3", 0, "ii"),
        ("D:maj", 0, "II"),
        ("Bb:maj9", 0, "bVII"),
        ("B:hdim7", 0, "viio"),
        ("F#:dim7", 0, "#ivo"),
        ("G:sus4(b7)", 0, "V"),
        ("G:aug", 0, "V"),
        ("Eb:5", 10, "IV"),
        ("N", 0, "N"),
        ("X", 0, "N"),
    ],
)
def test_chords_are_degrees(label: str, tonic: int, degree: str) -> None:
    assert name_degree(label, tonic) == degree


def test_every_degree_has_its_root_and_its_triad() -> None:
    for interval in range(12):
        for names, third, fifth in ((MAJOR, 4, 7), (MINOR, 3, 7), (DIMINISHED, 3, 6)):
            degree = names[interval]
            assert find_interval(degree) == interval
            triad = (interval, (interval + third) % 12, (interval + fifth) % 12)
            assert find_triad(degree) == triad
    with pytest.raises(ValueError, match="not a degree"):
        find_interval("N")


def test_a_degree_has_one_function() -> None:
    grouped = [degree for degrees in FUNCTIONS.values() for degree in degrees]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= {*MAJOR, *MINOR, *DIMINISHED}
    assert [find_function(d) for d in ("vi", "ii", "V", "III", "bVI", "bii", "N")] == [
        "tonic", "predominant", "dominant", "applied", "borrowed", "remote", "silence"
    ]  # fmt: skip
