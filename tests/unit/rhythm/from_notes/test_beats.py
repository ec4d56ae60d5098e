"""Beats interpolated through attacks whose positions are known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent, Rhythm
from inference_service.rhythm.from_notes.bar_network import BarReader
from inference_service.rhythm.from_notes.beats import (
    MIN_GAP_S,
    estimate_rhythm,
    find_main_attacks,
    scale_values,
)
from tests.unit.rhythm.from_notes.readings import IdealBars, Written, build_blank, read_ideally


def build_notes(onset_s: NDArray[np.float64]) -> list[NoteEvent]:
    return [NoteEvent(t, t + 0.2, 60) for t in onset_s.tolist()]


def estimate(music: Written, onset_s: NDArray[np.float64]) -> Rhythm:
    bars = IdealBars(music.bar_q, music.metre, -float(music.starts_q[0] // 1))
    reading = read_ideally(music, onset_s)
    rhythm = estimate_rhythm(build_notes(onset_s), reading, cast(BarReader, bars))
    assert rhythm is not None
    return rhythm


def estimate_anything(notes: Sequence[NoteEvent], **known: NDArray[np.float64]) -> Rhythm | None:
    bars = cast(BarReader, IdealBars(4.0, (4, 4)))
    return estimate_rhythm(notes, build_blank(notes, **known), bars)


def times(rhythm: Rhythm) -> list[float]:
    return [beat.time_s for beat in rhythm.beats]


def test_a_waltz_of_quarters() -> None:
    starts_q = np.arange(12.0)
    rhythm = estimate(Written(starts_q.tolist(), 3.0, (3, 4)), 0.6 * starts_q)
    assert rhythm.time_signature == "3/4"
    assert rhythm.tempo_bpm == pytest.approx(100.0)
    assert [beat.position for beat in rhythm.beats[:6]] == [1, 2, 3, 1, 2, 3]
    np.testing.assert_allclose(times(rhythm)[:12], 0.6 * starts_q, atol=1e-9)


def test_compound_beats_are_dotted_quarters() -> None:
    starts_q = np.arange(24) / 2
    rhythm = estimate(Written(starts_q.tolist(), 3.0, (6, 8)), 0.4 * starts_q)
    assert rhythm.time_signature == "6/8"
    assert [beat.position for beat in rhythm.beats[:4]] == [1, 2, 1, 2]
    assert rhythm.tempo_bpm == pytest.approx(60 / 0.6)
    np.testing.assert_allclose(np.diff(times(rhythm)), 0.6, atol=1e-9)


def test_beats_go_through_held_notes() -> None:
    starts_q = np.array([0.0, 4.0, 6.0, 8.0, 12.0])
    rhythm = estimate(Written(starts_q.tolist(), 4.0, (4, 4)), 0.5 * starts_q)
    np.testing.assert_allclose(np.diff(times(rhythm)), 0.5, atol=1e-9)


def test_beats_follow_the_player() -> None:
    starts_q = np.arange(33) / 2
    quarter_s = np.linspace(0.5, 0.8, 32)
    onset_s = np.concatenate([[0.0], np.cumsum(quarter_s / 2)])
    rhythm = estimate(Written(starts_q.tolist(), 4.0, (4, 4)), onset_s)
    np.testing.assert_allclose(times(rhythm)[:17], onset_s[::2], atol=1e-9)
    assert rhythm.beats[0].position == 1


def test_the_last_bar_is_filled_at_the_last_pace() -> None:
    starts_q = np.array([*np.arange(16) / 2, 8.0])
    rhythm = estimate(Written(starts_q.tolist(), 4.0, (4, 4)), 0.5 * starts_q)
    assert [beat.position for beat in rhythm.beats[-4:]] == [1, 2, 3, 4]
    np.testing.assert_allclose(np.diff(times(rhythm)), 0.5, atol=1e-9)


def test_no_beat_is_before_the_recording() -> None:
    starts_q = 3.0 + np.arange(13.0)
    rhythm = estimate(Written(starts_q.tolist(), 4.0, (4, 4)), 0.5 * (starts_q - 3.0))
    assert times(rhythm)[0] == 0.0
    assert rhythm.beats[0].position == 4
    assert rhythm.beats[1].position == 1


def test_beats_in_silence_before_a_late_pickup_are_counted() -> None:
    starts_q = 3.0 + np.arange(13.0)
    rhythm = estimate(Written(starts_q.tolist(), 4.0, (4, 4)), 5.0 + 0.5 * (starts_q - 3.0))
    first = next(i for i, t in enumerate(times(rhythm)) if t == pytest.approx(5.0))
    assert rhythm.beats[first].position == 4
    np.testing.assert_allclose(np.diff(times(rhythm)), 0.5, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_beats_ascend_whatever_was_read(seed: int) -> None:
    generator = np.random.default_rng(seed)
    onset_s = np.sort(generator.uniform(0.0, 30.0, 150))
    notes = build_notes(onset_s)
    blank = build_blank(notes)
    rhythm = estimate_anything(
        notes,
        place=generator.normal(0.0, 2.0, blank.place.shape),
        downbeat=generator.normal(0.0, 30.0, blank.downbeat.shape),
        extra=generator.normal(-1.0, 1.0, blank.extra.shape),
    )
    assert rhythm is not None
    assert all(after - before >= MIN_GAP_S for before, after in pairwise(times(rhythm)))
    beats = int(rhythm.time_signature.partition("/")[0])
    assert all(1 <= beat.position <= 2 * beats for beat in rhythm.beats)
    assert 10 < rhythm.tempo_bpm < 1000


@pytest.mark.parametrize("extra", [[], [-1.0], [-1.0, 1.0], [1.0, 1.0]])
def test_fewer_than_two_attacks_tell_nothing(extra: list[float]) -> None:
    notes = [NoteEvent(k, k + 1, 60) for k in range(len(extra))]
    assert estimate_anything(notes, extra=np.array(extra)) is None


def test_an_attack_counts_if_one_of_its_notes_does() -> None:
    notes = [NoteEvent(0.0, 1.0, 60), NoteEvent(0.0, 1.0, 64), NoteEvent(1.0, 2.0, 60)]
    reading = build_blank(notes, extra=np.array([2.0, -2.0, 2.0]))
    assert find_main_attacks(reading).tolist() == [0]


def test_two_attacks_have_a_rhythm() -> None:
    rhythm = estimate_anything([NoteEvent(0.0, 0.5, 60), NoteEvent(0.5, 1.0, 62)])
    assert rhythm is not None
    assert len(rhythm.beats) >= 2


@pytest.mark.parametrize(
    ("quarter_s", "factor"), [(1.1, 2), (0.75, 1), (0.6, 1), (0.5, 1), (0.3, 0.5)]
)
def test_a_melody_is_written_in_the_values_of_a_usual_tempo(
    quarter_s: float, factor: float
) -> None:
    positions = 24 * np.array([0, 1, 2, 3, 4, 6, 7, 8, 10, 12, 13, 14])
    scaled = scale_values(quarter_s * positions / 24, positions)
    assert scaled.tolist() == (factor * positions).tolist()


def test_values_are_not_halved_into_thirty_seconds() -> None:
    positions = 6 * np.arange(32)  # sixteenths at 200 quarters a minute
    assert scale_values(0.3 * positions / 24, positions).tolist() == positions.tolist()


def test_values_are_not_doubled_into_notes_of_two_wholes() -> None:
    positions = 24 * 4 * np.arange(8)  # whole notes at 50 quarters a minute
    assert scale_values(1.2 * positions / 24, positions).tolist() == positions.tolist()


def test_one_place_has_no_values() -> None:
    assert scale_values(np.array([0.5]), np.array([12])).tolist() == [12]
