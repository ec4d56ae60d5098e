"""Synthesised singing agrees with its labels."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("pyworld", reason="pyworld comes with the extra 'training'")

import pyworld

from model_zoo.training.sound.singing import (
    BETWEEN,
    MARKED,
    PEAK,
    TAIL_S,
    Notes,
    Singer,
    Style,
    draw_singer,
    sing,
    sing_as,
)
from model_zoo.training.sound.speech import RATE_HZ, Bank

HOP_S = 0.005


def _melody(*pitches: float, note_s: float = 0.5, gap_s: float = 0.0) -> Notes:
    onsets_s = 0.5 + np.arange(len(pitches)) * (note_s + gap_s)
    return np.column_stack([onsets_s, onsets_s + note_s, pitches, np.full(len(pitches), 90.0)])


def _singer(bank: Bank, seed: int = 0, **habits: Any) -> Singer:
    singer = draw_singer(bank[:1], np.random.default_rng(seed))
    calm: dict[str, Any] = {"style": "words", "breathiness_db": -25.0, "release_s": 0.05}
    absent = ("scoop", "fall", "melisma", "breaths", "shimmer_db", "vibrato_cents")
    calm |= dict.fromkeys(absent, 0.0)
    return dataclasses.replace(singer, low=50.0, high=80.0, centre=64.0, **calm | habits)


def _pitch(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    sound = samples.astype(np.float64)
    sound += 1e-5 * np.random.default_rng(0).standard_normal(len(sound))
    f0_hz, times_s = pyworld.dio(sound, RATE_HZ, f0_floor=65.0, f0_ceil=2500.0)
    f0_hz = pyworld.stonemask(sound, f0_hz, times_s, RATE_HZ)
    return np.where(f0_hz > 0, 69 + 12 * np.log2(np.maximum(f0_hz, 1.0) / 440), np.nan)


def _level_db(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    hop = round(HOP_S * RATE_HZ)
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop).astype(np.float64)
    level_db: NDArray[np.float64] = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return level_db


@pytest.mark.parametrize("style", ["words", "one syllable", "vowels", "hum", "whistle"])
def test_labels_have_the_pitch_that_is_heard(bank: Bank, style: Style) -> None:
    singer = _singer(bank, vibrato_cents=40.0, style=style)
    if style == "whistle":
        singer = dataclasses.replace(singer, low=72.0, high=98.0, centre=80.0)
    melody = _melody(60, 62, 64, 67, 64, 60, gap_s=0.05)
    samples, notes = sing_as(singer, melody, np.random.default_rng(3))
    heard = _pitch(samples)
    assert len(notes) == len(melody)
    for onset_s, offset_s, pitch, _ in notes:
        margin_s = 0.2 * (offset_s - onset_s)
        span = slice(round((onset_s + margin_s) / HOP_S), round((offset_s - margin_s) / HOP_S))
        assert 100 * abs(np.nanmedian(heard[span]) - pitch) < 30


def test_a_note_begins_where_its_vowel_does(bank: Bank) -> None:
    singer = _singer(bank, consonant_s=0.09, attack_s=0.02)
    samples, notes = sing_as(singer, _melody(*[62, 64] * 8, gap_s=0.4), np.random.default_rng(1))
    level_db = _level_db(samples)
    errors_s = []
    for onset_s, offset_s, _, _ in notes:
        vowel_db = np.median(level_db[round(onset_s / HOP_S) : round(offset_s / HOP_S)])
        start = round((onset_s - 0.2) / HOP_S)
        before = level_db[start : round((onset_s + 0.2) / HOP_S)]
        risen = start + np.flatnonzero(before < vowel_db - 8)[-1] + 1
        errors_s.append(onset_s - risen * HOP_S)
    assert np.median(np.abs(errors_s)) < 0.03
    assert np.max(np.abs(errors_s)) < 0.12


def test_consonants_come_before_the_beat(bank: Bank) -> None:
    singer = _singer(bank, consonant_s=0.1)
    melody = _melody(62, 64, 65, 62, 64, gap_s=0.4)
    samples, notes = sing_as(singer, melody, np.random.default_rng(2))
    assert np.abs(notes[:, 0] - melody[:, 0]).max() < 0.08
    early = [
        np.abs(samples[round((onset_s - 0.06) * RATE_HZ) : round((onset_s - 0.02) * RATE_HZ)]).max()
        for onset_s in notes[:, 0]
    ]
    assert np.mean(np.array(early) > 0.001) > 0.5


def test_the_same_seed_sings_the_same(bank: Bank) -> None:
    melody = _melody(60, 64, 67)
    first, labels = sing(melody, np.random.default_rng(7), bank=bank)
    again, same = sing(melody, np.random.default_rng(7), bank=bank)
    other, _ = sing(melody, np.random.default_rng(8), bank=bank)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(labels, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100])
def test_it_lasts_a_little_longer_than_the_melody(bank: Bank, rate_hz: int) -> None:
    melody = _melody(60, 64)
    samples, _ = sing(melody, np.random.default_rng(0), rate_hz, bank)
    assert samples.dtype == np.float32
    assert len(samples) / rate_hz == pytest.approx(melody[-1, 1] + TAIL_S, abs=0.006)
    assert np.abs(samples).max() == pytest.approx(PEAK)


def test_silence_between_phrases_is_silent(bank: Bank) -> None:
    melody = _melody(60, 62, 64, gap_s=1.0)
    samples, _ = sing_as(_singer(bank), melody, np.random.default_rng(0))
    for offset_s in melody[:, 1]:
        pause = samples[round((offset_s + 0.15) * RATE_HZ) : round((offset_s + 0.45) * RATE_HZ)]
        assert np.abs(pause).max() < 1e-4


def test_breath_is_heard_in_pauses(bank: Bank) -> None:
    melody = _melody(60, 62, 64, gap_s=1.5)
    silent, notes = sing_as(_singer(bank), melody, np.random.default_rng(0))
    heard, same = sing_as(_singer(bank, breaths=1.0), melody, np.random.default_rng(0))
    np.testing.assert_array_equal(notes, same)
    for onset_s in notes[1:, 0]:
        pause = slice(round((onset_s - 0.8) * RATE_HZ), round(onset_s * RATE_HZ))
        assert 1e-3 < np.abs(heard[pause] - silent[pause]).max() < 0.3


def test_a_held_repetition_is_one_note(bank: Bank) -> None:
    melody = _melody(*[64] * 12)
    _, notes = sing_as(_singer(bank, melisma=1.0), melody, np.random.default_rng(0))
    assert 1 <= len(notes) < len(melody)
    _, spoken = sing_as(_singer(bank, melisma=0.0), melody, np.random.default_rng(0))
    assert len(spoken) == len(melody)


def test_notes_on_one_vowel_meet_where_the_pitch_changes(bank: Bank) -> None:
    singer = _singer(bank, melisma=1.0, overshoot=0.0, bend=0.0, drift=0.0)
    melody = _melody(60, 64, 60, 64, 60, 64)
    samples, notes = sing_as(singer, melody, np.random.default_rng(0))
    assert len(notes) == len(melody)
    heard = _pitch(samples)
    for before, after in pairwise(notes):
        assert before[1] <= after[0] < before[1] + 0.3
        arrival = heard[round(after[0] / HOP_S) + 1]
        assert abs(arrival - after[2]) < 0.2 * abs(after[2] - before[2])


def test_a_scoop_belongs_to_its_note_and_a_fall_does_not(bank: Bank) -> None:
    melody = _melody(62, 64, 62, 64, 62, 64, note_s=0.8, gap_s=0.6)
    steady, scooped = (
        sing_as(_singer(bank, scoop=chance, fall=chance), melody, np.random.default_rng(5))[1]
        for chance in (0.0, 1.0)
    )
    assert np.abs(scooped[:, 0] - melody[:, 0]).mean() < 0.06
    assert scooped[:, 1].mean() < steady[:, 1].mean()


def test_a_melody_is_moved_by_octaves_into_the_range(bank: Bank) -> None:
    melody = _melody(91, 93, 95)
    singer = _singer(bank, tuning=0.0, error=0.0, bend=0.0, drift=0.0)
    _, notes = sing_as(singer, melody, np.random.default_rng(0))
    moved = notes[:, 2] - melody[:, 2]
    np.testing.assert_allclose(moved, -24, atol=0.15)


def test_notes_do_not_overlap(bank: Bank) -> None:
    random = np.random.default_rng(0)
    onsets_s = np.cumsum(random.uniform(0.06, 0.4, 60))
    melody = np.column_stack(
        [onsets_s, onsets_s + random.uniform(0.03, 0.8, 60), random.integers(55, 75, 60),
         random.uniform(20, 120, 60)]
    )  # fmt: skip
    for seed in range(4):
        samples, notes = sing(melody, np.random.default_rng(seed), bank=bank)
        assert np.isfinite(samples).all()
        assert (notes[:, 1] > notes[:, 0]).all()
        assert (notes[1:, 0] >= notes[:-1, 1] - 1e-9).all()
        assert notes[-1, 1] <= len(samples) / RATE_HZ


def test_no_notes_are_silence(bank: Bank) -> None:
    samples, notes = sing(np.zeros((0, 4)), np.random.default_rng(0), bank=bank)
    assert not samples.any()
    assert notes.shape == (0, 4)
    _, none = sing(_melody(60, note_s=0.01), np.random.default_rng(0), bank=bank)
    assert none.shape == (0, 4)


def test_singers_differ(bank: Bank) -> None:
    singers = [draw_singer(bank, np.random.default_rng(seed)) for seed in range(80)]
    assert {singer.speaker.name for singer in singers} == {speaker.name for speaker in bank}
    assert len({singer.style for singer in singers}) >= 4
    assert np.std([singer.tuning for singer in singers]) > 0.1


def test_labels_between_conventions_lie_between_them(bank: Bank) -> None:
    singer = _singer(bank, consonant_s=0.09, melisma=1.0, glide_s=0.15)
    melody = _melody(*[60, 64] * 6)
    marked, between = (
        sing_as(singer, melody, np.random.default_rng(2), labelling=labelling)
        for labelling in (MARKED, BETWEEN)
    )
    assert np.array_equal(marked[0], between[0]), "the sound is the same"
    assert len(marked[1]) == len(between[1])
    assert np.allclose(marked[1][:, 2], between[1][:, 2], atol=0.3)
    # Notes joined by a glide either exclude it or meet within it.
    gaps_s, closed_s = (notes[1:, 0] - notes[:-1, 1] for _, notes in (marked, between))
    assert np.median(gaps_s) > 0.02
    assert np.median(closed_s) < 0.011
    assert (between[1][1:, 0] <= marked[1][1:, 0] + 1e-9).all()


def test_half_of_a_phrases_loud_first_consonant_is_led_in(bank: Bank) -> None:
    singer = _singer(bank, consonant_s=0.12, attack_s=0.015)
    melody = _melody(*[62, 64] * 12, gap_s=0.5)
    marked, between = (
        sing_as(singer, melody, np.random.default_rng(1), labelling=labelling)[1]
        for labelling in (MARKED, BETWEEN)
    )
    later_s = between[:, 0] - marked[:, 0]
    assert (later_s >= 0).all()
    assert later_s.max() == pytest.approx(0.025)
    assert (between[:, 1] >= marked[:, 1]).all()
