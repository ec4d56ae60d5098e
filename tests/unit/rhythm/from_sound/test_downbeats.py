"""Bars found in beats with known downbeats."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment, NoteEvent
from inference_service.rhythm.from_sound.downbeats import (
    count_bass_notes,
    count_chord_changes,
    find_positions,
    place_downbeats,
)

BEATS_S: NDArray[np.float64] = np.arange(48, dtype=np.float64) * 0.5


def chords_every(beats: int, first: int = 0) -> list[ChordSegment]:
    starts = [0.0, *(t for t in BEATS_S[first::beats] if t > 0)]
    ends = [*starts[1:], 24.0]
    return [
        ChordSegment(a, b, "CG"[i % 2]) for i, (a, b) in enumerate(zip(starts, ends, strict=True))
    ]


@pytest.mark.parametrize("length", [3, 4])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_chord_changes_make_bars(length: int, first: int) -> None:
    metre = place_downbeats(BEATS_S, np.ones(48), [], chords_every(length, first))
    assert metre.time_signature == f"{length}/4"
    downbeats = [b.time_s for b in metre.beats if b.position == 1]
    assert downbeats == BEATS_S[first::length].tolist()


def test_bass_notes_make_bars() -> None:
    bass = [NoteEvent(t + 0.01, t + 1.0, 36) for t in BEATS_S[2::4]]
    tune = [NoteEvent(t, t + 0.4, 72) for t in BEATS_S]
    metre = place_downbeats(BEATS_S, np.ones(48), bass + tune, [])
    assert [b.position for b in metre.beats[:6]] == [3, 4, 1, 2, 3, 4]


def test_accents_make_bars() -> None:
    strengths = np.ones(48)
    strengths[1::3] = 3.0
    metre = place_downbeats(BEATS_S, strengths, [], [])
    assert metre.time_signature == "3/4"
    assert [b.position for b in metre.beats[:4]] == [3, 1, 2, 3]


def test_without_evidence_there_are_four_beats() -> None:
    metre = place_downbeats(BEATS_S, np.ones(48), [], [])
    assert metre.time_signature == "4/4"
    assert [b.position for b in metre.beats[:5]] == [1, 2, 3, 4, 1]


def test_an_odd_bar_shifts_the_bars_after_it() -> None:
    evidence = np.full(50, -0.5)
    downbeats = [*range(0, 24, 4), *range(26, 50, 4)]
    evidence[downbeats] = 2.0
    positions, _ = find_positions(evidence, 4)
    assert np.flatnonzero(positions == 0).tolist() == downbeats


def test_two_beats_are_enough() -> None:
    metre = place_downbeats(np.array([0.0, 0.5]), np.zeros(2), [], [])
    assert [b.position for b in metre.beats] == [1, 2]


def test_changes_between_beats_count_for_none() -> None:
    chords = [ChordSegment(0.0, 1.25, "C"), ChordSegment(1.25, 2.0, "G")]
    assert count_chord_changes(BEATS_S[:5], chords).sum() == 0.0


def test_only_bass_notes_on_a_beat_count() -> None:
    notes = [NoteEvent(0.5, 5.0, 40), NoteEvent(0.75, 1.0, 40), NoteEvent(1.0, 1.5, 70)]
    assert count_bass_notes(BEATS_S[:4], notes).tolist() == [0.0, 2.0, 0.0, 0.0]
