"""Named chords, bar by bar."""

from __future__ import annotations

from bot.chords import NO_CHORD, Bar, bars, opening
from bot.client.types import Beat, ChordSegment


def _segments(*names: str, length_s: float = 2.0) -> list[ChordSegment]:
    return [
        ChordSegment(length_s * index, length_s * (index + 1), name)
        for index, name in enumerate(names)
    ]


def test_opening_skips_silence_and_repetitions() -> None:
    names = _segments("", "Am", "Am", "F", "", "C")
    assert opening(names, 2) == ["Am", "F"]


def test_bars_with_a_pickup_and_a_change_inside() -> None:
    beats = [Beat(0.5 * index, (index + 2) % 4 + 1) for index in range(10)]
    chords = [
        ChordSegment(0.0, 1.05, "G7"),  # a little late: the downbeat is still the next chord's
        ChordSegment(1.05, 4.0, "C"),
        ChordSegment(4.0, 9.0, "F"),
    ]
    assert bars(chords, beats) == [
        Bar(0.0, ("G7",)),
        Bar(1.0, ("C",)),
        Bar(3.0, ("C", "F")),
    ]


def test_bars_before_the_first_chord_and_without_any() -> None:
    beats = [Beat(0.5 * index, index % 4 + 1) for index in range(8)]
    assert bars([ChordSegment(2.0, 4.0, "C")], beats) == [
        Bar(0.0, (NO_CHORD,)),
        Bar(2.0, ("C",)),
    ]
    assert bars([], beats) == []
    assert bars(_segments("C"), []) == []
