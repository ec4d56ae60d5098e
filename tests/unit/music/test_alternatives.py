"""Alternatives: the page's reading first, then the likeliest of the others."""

from __future__ import annotations

import pytest

from inference_service.music.alternatives import LEAST_PROBABILITY, MOST, combine, find_share
from inference_service.music.events import Key, KeyEstimate, RhythmReading

WALTZ = RhythmReading("3/4", 1.0, 1.0, 0.6)
JIG = RhythmReading("6/8", 0.5, 1.0, 0.3)
G_MAJOR = KeyEstimate(Key("G", "major"), 0.9)
E_MINOR = KeyEstimate(Key("E", "minor"), 0.1)


def test_the_page_comes_first_and_the_others_by_probability() -> None:
    found = combine((WALTZ, JIG), (G_MAJOR, E_MINOR))
    assert [(a.time_signature, a.beat_scale, a.key) for a in found] == [
        ("3/4", 1.0, G_MAJOR.key),
        ("6/8", 0.5, G_MAJOR.key),
        ("3/4", 1.0, E_MINOR.key),
        ("6/8", 0.5, E_MINOR.key),
    ]
    assert [round(a.probability, 3) for a in found] == [0.54, 0.27, 0.06, 0.03]


def test_the_page_comes_first_even_where_another_reading_is_likelier() -> None:
    unlikely = RhythmReading("3/4", 1.0, 2.0, 0.01)
    assert combine((unlikely, JIG), (G_MAJOR,))[0].time_signature == "3/4"


def test_improbable_readings_are_left_out() -> None:
    rare = KeyEstimate(Key("C", "major"), LEAST_PROBABILITY / 2)
    assert len(combine((WALTZ, JIG), (G_MAJOR, rare))) == 2


def test_there_are_never_more_than_the_most() -> None:
    readings = [RhythmReading("4/4", 1.0, float(k), 0.2) for k in range(5)]
    keys = [KeyEstimate(Key(tonic, "major"), 0.2) for tonic in "CDEFG"]
    assert len(combine(readings, keys)) == MOST


def test_without_readings_of_the_rhythm_there_are_none() -> None:
    assert combine((), (G_MAJOR,)) == ()


def test_readings_that_are_not_listed_are_of_all_kinds_alike() -> None:
    listed = combine((WALTZ, JIG), (G_MAJOR,))
    assert find_share(listed, lambda other: other.time_signature == "3/4") == pytest.approx(2 / 3)
    assert find_share(listed, lambda other: other.key == G_MAJOR.key) == 1
    assert find_share((), lambda other: True) == 0
