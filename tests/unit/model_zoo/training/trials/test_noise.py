"""Noise is mixed at exact ratios, filters keep what they should, contours become notes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from model_zoo.training.sound.damage import add_noise
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.trials import noise
from model_zoo.training.trials.clips import Clip


def tone(hz: float, length_s: float = 1.0) -> np.ndarray:
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("name", ["white", "pink"])
@pytest.mark.parametrize("snr_db", [30.0, 0.0])
def test_noise_is_mixed_at_the_ratio_asked_for(name: str, snr_db: float) -> None:
    clean = tone(440.0)
    made = noise.make(name, len(clean), np.random.default_rng(0))
    mixed = add_noise(clean, made, snr_db)
    measured_db = 20 * np.log10(level(clean) / level(mixed - clean))
    assert measured_db == pytest.approx(snr_db, abs=0.01)


@pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite")
def test_babble_is_as_long_as_asked_and_differs_from_draw_to_draw() -> None:
    first, second = (noise.make_babble(RATE_HZ, np.random.default_rng(seed)) for seed in (1, 2))
    assert len(first) == len(second) == RATE_HZ
    assert level(first) > 0.5
    assert not np.allclose(first, second)


def test_a_band_pass_keeps_its_band_and_stops_what_is_below() -> None:
    clean = noise.CLEANERS["band-pass"]
    middle = slice(RATE_HZ // 4, -RATE_HZ // 4)
    assert level(clean(tone(440.0))[middle]) == pytest.approx(level(tone(440.0)), rel=0.01)
    assert level(clean(tone(20.0))[middle]) < 0.01 * level(tone(20.0))


def test_filters_do_not_move_sound() -> None:
    click = np.zeros(RATE_HZ, np.float32)
    click[RATE_HZ // 2] = 1.0
    for name in ("band-pass", "high-pass"):
        assert abs(int(np.abs(noise.CLEANERS[name](click)).argmax()) - RATE_HZ // 2) <= 1


def test_a_contour_becomes_a_note_for_each_semitone() -> None:
    contour = np.concatenate([np.full(20, np.nan), np.full(40, 60.2), np.full(40, 62.2)])
    notes = noise.segment(contour, 0.01)
    np.testing.assert_allclose(notes, [[0.2, 0.6, 60.2], [0.6, 1.0, 62.2]], atol=0.041)


def test_a_contour_of_silence_has_no_notes() -> None:
    assert noise.segment(np.full(50, np.nan), 0.01).shape == (0, 3)


def test_pyin_hears_a_tone() -> None:
    notes = noise.hear_by_pyin(np.pad(tone(440.0, 0.6), RATE_HZ // 10))
    assert len(notes) == 1
    assert notes[0, 2] == pytest.approx(69.0, abs=0.3)


def test_figures_are_means_over_clips() -> None:
    truth = np.array([[0.1, 0.5, 69.0]])
    clips = [Clip("voice", str(n), tone(440.0), truth) for n in range(2)]
    answers = iter([truth, np.zeros((0, 3))])
    figures = noise.measure(lambda samples: next(answers), clips, "none", "clean", "none")
    assert figures == {"f1": 0.5, "error": 0.5, "offset_f1": 0.5}


def test_every_condition_is_listed_once() -> None:
    conditions = list(noise.list_conditions())
    assert len(conditions) == len(set(conditions))
    assert ("network", "piano", "babble", "0", "gate") in conditions
