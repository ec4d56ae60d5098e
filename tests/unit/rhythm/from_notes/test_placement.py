"""Notes placed along known beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from inference_service.music.events import NoteEvent, Part, Transcription
from inference_service.music.placement import NotePlacement
from inference_service.rhythm.from_notes.attacks import find_attacks
from inference_service.rhythm.from_notes.placement import place_notes
from inference_service.rhythm.from_notes.score_network import INTERVALS, PLACES
from tests.factories import perform
from tests.unit.rhythm.from_notes.readings import (
    BlankReader,
    FixedReader,
    build_blank,
    classify,
    sure,
)

Line = Sequence[tuple[float, float, int]]


def place(performance: Transcription) -> tuple[NotePlacement, ...]:
    ((placed,), _) = place_notes(performance, BlankReader())
    return placed


def place_predicted(performance: Transcription, **predicted: Any) -> tuple[NotePlacement, ...]:
    """Place the notes of the only part, given what the reader predicts for them."""
    (part,) = performance.parts
    reader = FixedReader(build_blank(sorted(part.notes), **predicted))
    ((placed,), _) = place_notes(performance, reader)
    return placed


def starts(placed: Sequence[NotePlacement]) -> list[Fraction]:
    return [p.start_beats for p in placed]


MELODY: Line = [
    (0, 1, 60),
    (1, 0.5, 62),
    (1.5, 0.5, 64),
    (2, 2, 65),
    (4, 0.75, 67),
    (4.75, 0.25, 65),
    (5, 3, 64),
]


@pytest.mark.parametrize("bpm", [60.0, 97.0, 150.0])
def test_notes_on_a_clean_grid_stay_there(bpm: float) -> None:
    placed = place(perform({"piano": MELODY}, bpm=bpm))
    assert starts(placed) == [Fraction(start) for start, _, _ in MELODY]
    assert [p.duration_beats for p in placed] == [Fraction(length) for _, length, _ in MELODY]


def test_triplets_stay_triplets() -> None:
    line = [(k / 3, 1 / 3, 60 + k) for k in range(12)]
    assert starts(place(perform({"piano": line}, bpm=90.0))) == [Fraction(k, 3) for k in range(12)]


def test_unsteady_notes_go_to_the_grid() -> None:
    line = [(k / 2, 0.5, 60 + k % 12) for k in range(32)]
    placed = place(perform({"piano": line}, bpm=80.0, jitter_s=0.02, seed=4))
    assert starts(placed) == [Fraction(k, 2) for k in range(32)]


@pytest.mark.parametrize(("short", "swings"), [(0.5, False), (2 / 3, True)])
def test_swung_eighths_are_written_straight(short: float, swings: bool) -> None:
    line = [(beat + place, 0.4, 60 + beat % 12) for beat in range(32) for place in (0.0, short)]
    ((placed,), swing) = place_notes(perform({"piano": line}, bpm=140.0), BlankReader())
    assert swing is swings
    assert starts(placed) == [Fraction(k, 2) for k in range(64)]


@pytest.mark.parametrize(("metre", "beat_q"), [("6/8", 0.5), ("2/2", 2.0), ("3/4", 1.0)])
def test_places_count_in_the_beats_of_the_metre(metre: str, beat_q: float) -> None:
    line = [(k, 1, 60 + k) for k in range(12)]
    placed = place(perform({"piano": line}, bpm=80.0 / beat_q, time_signature=metre))
    assert starts(placed) == list(range(12))
    assert {p.duration_beats for p in placed} == {1}


def test_a_chord_has_one_place() -> None:
    line = [(k, 1, pitch) for k in range(4) for pitch in (48, 55, 60, 64)]
    placed = place(perform({"piano": line}, jitter_s=0.005))
    assert starts(placed) == [k for k in range(4) for _ in range(4)]


def test_ornaments_wait_for_their_note() -> None:
    performance = perform({"piano": [(0, 2, 60), (1.85, 0.15, 65), (2, 2, 64)]})
    placed = place_predicted(performance, extra=np.array([-3.0, 3.0, -3.0]))
    assert [p.is_ornament for p in placed] == [False, True, False]
    assert placed[1].start_beats == placed[2].start_beats == 2


def test_only_ornaments_are_placed_where_they_were_played() -> None:
    performance = perform({"piano": [(0, 1, 60), (1, 1, 62), (2, 1, 64)]})
    placed = place_predicted(performance, extra=np.full(3, 3.0))
    assert starts(placed) == [0, 1, 2]
    assert all(p.is_ornament for p in placed)


def test_hands_are_as_they_were_read() -> None:
    performance = perform({"piano": [(0, 1, 40), (0, 1, 72), (1, 1, 45), (1, 1, 74)]})
    placed = place_predicted(performance, hand=np.array([2.0, -2.0, 2.0, -2.0]))
    assert [p.is_lower for p in placed] == [True, False, True, False]


def test_what_the_network_reads_decides_between_near_places() -> None:
    """A note between an eighth and a dotted one is written where it is predicted."""
    performance = perform({"piano": [(0, 0.5, 60), (0.62, 0.38, 62), (1, 1, 64)]}, bpm=60.0)
    for place_parts in (12, 18):
        predicted = sure([0, PLACES.index(place_parts), 0], len(PLACES))
        placed = place_predicted(performance, place=2 * predicted)
        assert placed[1].start_beats == Fraction(place_parts, 24)


def test_a_pedalled_note_is_as_long_as_it_is_read() -> None:
    performance = perform({"piano": [(0, 3.7, 60), (1, 2.7, 64), (2, 1.7, 67), (3, 0.7, 72)]})
    predicted = sure(classify(np.ones(4)), len(INTERVALS))
    assert [p.duration_beats for p in place_predicted(performance, length=2 * predicted)] == [1] * 4


def test_drums_and_empty_parts_have_no_places() -> None:
    performance = perform({"drums": [(0, 1, 36)], "vocals": [], "piano": MELODY})
    (drums, vocals, piano), _ = place_notes(performance, BlankReader())
    assert drums == vocals == ()
    assert len(piano) == len(MELODY)


@pytest.mark.parametrize("part", ["piano", "vocals"])
def test_one_note(part: str) -> None:
    (placed,) = place(perform({part: [(0, 1, 60)]}))
    assert placed.start_beats == 0
    assert placed.duration_beats > 0


@pytest.mark.parametrize("part", ["piano", "vocals"])
@pytest.mark.parametrize("seed", range(6))
def test_any_notes_have_places_in_order(part: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    notes = tuple(
        sorted(
            NoteEvent(t, t + d, int(p))
            for t, d, p in zip(
                generator.uniform(0.0, 20.0, 150).tolist(),
                generator.exponential(0.4, 150).tolist(),
                generator.integers(21, 109, 150),
                strict=True,
            )
        )
    )
    frame = perform({part: [(0, 40, 60)]}, bpm=110.0)
    performance = replace(frame, parts=(replace(frame.parts[0], notes=notes),))
    attacks = len(find_attacks(np.array([n.onset_s for n in notes])).onset_s)
    placed = place_predicted(
        performance,
        place=generator.normal(0.0, 3.0, (attacks, len(PLACES))),
        interval=generator.normal(0.0, 3.0, (attacks, len(INTERVALS))),
        length=generator.normal(0.0, 3.0, (150, len(INTERVALS))),
        hand=generator.normal(0.0, 3.0, 150),
        extra=generator.normal(-1.0, 2.0, 150),
    )
    assert all(before <= after for before, after in pairwise(starts(placed)))
    assert all(Fraction(1, 8) <= p.duration_beats <= 12 for p in placed)
    for note, p in zip(notes, placed, strict=True):
        if not p.is_ornament:
            assert abs(float(p.start_beats) - note.onset_s * 110 / 60) < 1.0


def test_notes_before_the_first_beat_and_after_the_last_have_places() -> None:
    frame = perform({"piano": [(k, 1, 60 + k) for k in range(12)]})
    placed = place(replace(frame, beats=frame.beats[4:8]))
    assert starts(placed) == [k - 4 for k in range(12)]


def test_without_beats_the_tempo_is_the_grid() -> None:
    assert starts(place(replace(perform({"piano": MELODY}), beats=()))) == [
        Fraction(start) for start, _, _ in MELODY
    ]


def test_5000_notes_in_a_minute_are_placed() -> None:
    notes = tuple(NoteEvent(0.012 * k, 0.012 * k + 0.1, 21 + k * 7 % 88) for k in range(5000))
    frame = perform({"piano": [(0, 120, 60)]})
    performance = replace(frame, parts=(Part("piano", "Piano", notes, 0),))
    assert len(place(performance)) == 5000


def test_sung_parts_have_no_thirty_seconds() -> None:
    line = [(0, 0.125, 60), (0.125, 0.375, 62), (0.5, 0.5, 64), (1, 1, 65)]
    placed = place(perform({"vocals": line}, bpm=60.0))
    assert all(p.start_beats * 4 % 1 == 0 or p.start_beats * 3 % 1 == 0 for p in placed)
    assert all(p.duration_beats >= Fraction(1, 4) for p in placed)


def test_a_late_note_is_no_thirty_second() -> None:
    """Even where the network would place it there, since nothing is played a 32nd away."""
    late = [(0, 1, 60), (1.12, 0.8, 62), (2, 1, 64), (3, 1, 65)]
    predicted = sure([0, PLACES.index(3), 0, 0], len(PLACES))
    placed = place_predicted(perform({"piano": late}, bpm=60.0), place=2 * predicted)
    assert placed[1].start_beats.denominator <= 6
    run = [(0, 1, 60), (1, 0.125, 62), (1.125, 0.125, 64), (1.25, 0.7, 65), (2, 1, 67)]
    predicted = sure([0, 0, PLACES.index(3), PLACES.index(6), 0], len(PLACES))
    placed = place_predicted(perform({"piano": run}, bpm=60.0), place=2 * predicted)
    assert placed[2].start_beats == Fraction(9, 8)


@pytest.mark.parametrize(("piano", "swings"), [(1.0, True), (0.5, False)])
def test_drums_decide_on_swing_where_nobody_contradicts(piano: float, swings: bool) -> None:
    ride = [(k + phase, 0.1, 51) for k in range(24) for phase in (0, 2 / 3)]
    chords = [(k * piano, piano, pitch) for k in range(24) for pitch in (60, 64, 67)]
    performance = perform({"piano": chords, "drums": ride}, bpm=140.0)
    assert place_notes(performance, BlankReader())[1] is swings
