"""Beats interpolated through attacks whose positions are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.music.events import Beat, Key, NoteEvent, Rhythm
from inference_service.rhythm.from_notes import beats
from inference_service.rhythm.from_notes.bar_network import BarReader
from inference_service.rhythm.from_notes.bars import Bars
from inference_service.rhythm.from_notes.beats import (
    MIN_GAP_S,
    BarReaders,
    estimate_rhythm,
    find_main_attacks,
)
from inference_service.rhythm.from_notes.melody_bars import (
    LONGEST_PARTS,
    Melody,
    MelodyBarReader,
    MelodyReading,
    spans_a_grid,
)
from inference_service.rhythm.from_notes.second_opinion import Ear, Opinion
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from tests.unit.rhythm.from_notes.readings import (
    FixedEar,
    IdealBars,
    Written,
    build_blank,
    read_ideally,
)

CHORD = (48, 60)
"""Played at every attack: with a single note, the music would be read as a melody."""

KEY = Key("C", "major")


class IdealMelodyBars:
    """A reader of melodies that predicts bars of ``bar_q`` quarters from the first position on."""

    def __init__(self, bar_q: float, metre: tuple[int, int]) -> None:
        self._step, self._metre = round(24 * bar_q), metre

    def read(self, melody: Melody) -> list[MelodyReading]:
        """Return one reading."""
        first, last = int(melody.positions[0]), int(melody.positions[-1])
        lines = tuple(range(first, last + self._step + 1, self._step))
        return [MelodyReading(melody.positions, Bars(lines, self._metre), 0.0)]


class Undecided(IdealBars):
    """A reader that knows the metre, but not where bars begin."""

    def read(self, ticks: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return even log odds of a bar line, and log probabilities of metres."""
        odds, metre = super().read(ticks)
        return np.zeros_like(odds), metre


def build_readers(bars: IdealBars, ear: Ear | None = None) -> BarReaders:
    melodies = IdealMelodyBars(3.0, (3, 4))
    return BarReaders(cast(MelodyBarReader, melodies), cast(BarReader, bars), ear or FixedEar())


def build_notes(onset_s: NDArray[np.float64], chord: Sequence[int] = CHORD) -> list[NoteEvent]:
    return [NoteEvent(t, t + 0.2, pitch) for t in onset_s.tolist() for pitch in chord]


def estimate(music: Written, onset_s: NDArray[np.float64], chord: Sequence[int] = CHORD) -> Rhythm:
    bars = IdealBars(music.bar_q, music.metre, -float(music.starts_q[0] // 1))
    reading = read_ideally(music, onset_s, chord)
    rhythm = estimate_rhythm(build_notes(onset_s, chord), reading, KEY, build_readers(bars))
    assert rhythm is not None
    return rhythm


def estimate_anything(notes: Sequence[NoteEvent], **known: NDArray[np.float64]) -> Rhythm | None:
    readers = build_readers(IdealBars(4.0, (4, 4)))
    return estimate_rhythm(notes, build_blank(notes, **known), KEY, readers)


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


def test_the_beats_of_three_eight_are_eighths_as_notation_counts_them() -> None:
    starts_q = np.arange(24) / 2
    rhythm = estimate(Written(starts_q.tolist(), 1.5, (3, 8)), 0.8 * starts_q)
    assert rhythm.time_signature == "3/8"
    assert [beat.position for beat in rhythm.beats[:6]] == [1, 2, 3, 1, 2, 3]
    assert rhythm.tempo_bpm == pytest.approx(60 / 0.4)


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
    rhythm = estimate_anything(build_notes(np.array([0.0, 0.5])))
    assert rhythm is not None
    assert len(rhythm.beats) >= 2


def test_single_notes_are_read_by_the_reader_of_melodies() -> None:
    starts_q = np.arange(24.0)
    rhythm = estimate(Written(starts_q.tolist(), 4.0, (4, 4)), 0.6 * starts_q, chord=(60,))
    assert rhythm.time_signature == "3/4"
    assert [beat.position for beat in rhythm.beats[:4]] == [1, 2, 3, 1]
    np.testing.assert_allclose(times(rhythm)[:24], 0.6 * starts_q, atol=1e-9)
    (reading,) = rhythm.readings
    assert (reading.time_signature, reading.first_beat) == ("3/4", 1.0)
    assert (reading.beat_scale, reading.probability) == (1.0, 1.0)


def test_a_melody_with_an_endless_pause_is_read_without_a_grid_of_its_length() -> None:
    assert spans_a_grid(np.array([0, 24]))
    assert not spans_a_grid(np.array([0, 0]))
    assert not spans_a_grid(np.array([0, LONGEST_PARTS + 1]))


def test_bars_without_two_beats_are_no_rhythm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three thousand notes in ten seconds had a tempo that was not a number."""
    monkeypatch.setattr(beats, "find_bars", lambda *arguments: Bars((0,), (3, 4)))
    assert estimate_anything(build_notes(np.arange(8) / 2)) is None


def test_who_keeps_time_is_heard_and_not_read() -> None:
    heard = Rhythm(tuple(Beat(0.7 * k, k % 3 + 1) for k in range(20)), 60 / 0.7, "3/4")
    ear = FixedEar(Opinion(heard, np.zeros(0, np.float32)))
    notes = build_notes(0.7 * np.arange(20.0))
    readers = build_readers(IdealBars(4.0, (4, 4)), ear)
    assert estimate_rhythm(notes, build_blank(notes), KEY, readers) is heard


def test_bar_lines_lie_where_downbeats_are_heard() -> None:
    """The readers of notes tell no bar from another."""
    starts_q = np.arange(24.0)
    music = Written(starts_q.tolist(), 4.0, (4, 4))
    downbeat = np.full(650, 0.02, np.float32)
    downbeat[np.round((2 + 4 * np.arange(6)) * 0.5 * FRAMES_PER_S).astype(int)] = 0.9
    reading = read_ideally(music, 0.5 * starts_q, CHORD)
    reading = replace(reading, downbeat=np.zeros_like(reading.downbeat))
    readers = build_readers(Undecided(4.0, (4, 4)), FixedEar(Opinion(None, downbeat)))
    rhythm = estimate_rhythm(build_notes(0.5 * starts_q), reading, KEY, readers)
    assert rhythm is not None
    first = next(beat for beat in rhythm.beats if beat.position == 1 and beat.time_s > 0.2)
    assert first.time_s == pytest.approx(1.0, abs=0.01)
