"""Chord changes as segments, and which rests of the harmony are worth a symbol."""

from __future__ import annotations

import pytest

from inference_service.harmony.chord_segments import bridge_rests, build_segments
from inference_service.music.events import NO_CHORD, ChordSegment, Rhythm


def test_changes_become_segments() -> None:
    changes = [(0.2, "N"), (1.0, "C"), (2.0, "C"), (3.0, "G"), (9.0, "N")]
    assert build_segments(changes, 4.0) == [
        ChordSegment(0.0, 1.0, "N"),
        ChordSegment(1.0, 3.0, "C"),
        ChordSegment(3.0, 4.0, "G"),
    ]


def test_a_change_at_the_very_beginning_leaves_no_empty_segment() -> None:
    assert build_segments([(0.0, "C")], 1.0) == [ChordSegment(0.0, 1.0, "C")]
    assert build_segments([], 1.0) == [ChordSegment(0.0, 1.0, "N")]


def lay(*parts: tuple[float, str]) -> list[ChordSegment]:
    """Segments from their lengths in seconds and labels, one after another."""
    segments, start_s = [], 0.0
    for length_s, label in parts:
        segments.append(ChordSegment(start_s, start_s + length_s, label))
        start_s += length_s
    return segments


@pytest.mark.parametrize(
    ("metre", "rest_s", "is_bridged"),
    [("4/4", 0.5, True), ("4/4", 1.7, True), ("4/4", 1.9, False), ("3/4", 1.3, False),
     ("6/8", 0.7, True), ("6/8", 0.9, False), ("2/4", 0.5, True)],
)  # fmt: skip
def test_a_rest_shorter_than_a_bar_is_bridged(metre: str, rest_s: float, is_bridged: bool) -> None:
    rhythm = Rhythm((), 120.0, metre)
    heard = lay((2.0, "C"), (rest_s, NO_CHORD), (2.0, "G:7"))
    bridged = lay((2.0 + rest_s, "C"), (2.0, "G:7"))
    assert bridge_rests(heard, rhythm) == (bridged if is_bridged else heard)


def test_the_chord_after_a_rest_may_be_the_one_before() -> None:
    heard = lay((2.0, "C"), (0.5, NO_CHORD), (2.0, "C"), (0.5, NO_CHORD), (1.0, "F"))
    assert bridge_rests(heard, Rhythm((), 120.0, "4/4")) == lay((5.0, "C"), (1.0, "F"))


def test_silence_at_either_end_stays() -> None:
    heard = lay((0.5, NO_CHORD), (2.0, "C"), (0.5, NO_CHORD))
    assert bridge_rests(heard, Rhythm((), 120.0, "4/4")) == heard
    assert bridge_rests([], Rhythm((), 120.0, "4/4")) == []
