"""Speed: time and memory of one process; agreement of windows with the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_zoo.training.evaluate import speed
from model_zoo.training.evaluate.sets import read_sound
from model_zoo.training.evaluate.speed import Agreement, Speed
from model_zoo.training.evaluate.systems import OURS
from model_zoo.training.evaluate.targets import judge_speed

ALIKE = Agreement(100, True, 0)


def test_a_clip_is_repeated(clip: Path) -> None:
    once = read_sound(clip)
    sound = speed.repeat(once, 2.5 * once.duration_s)
    assert sound.sample_rate_hz == 44_100
    assert sound.samples.shape == (2, round(2.5 * once.duration_s * 44_100))
    period = round(once.duration_s * 44_100)
    np.testing.assert_array_equal(sound.samples[0, :1000], sound.samples[1, period : period + 1000])


def test_a_process_of_its_own_tells_time_and_peak(
    weights: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "SLOW", (OURS,))
    monkeypatch.setattr(speed, "SHORT_S", 4.0)
    hog = np.ones(2 * 10**8 // 8 * 10)  # 2 GB in this process do not count for the child
    (measured,) = speed.measure_speed([OURS], weights, "cpu", clip)
    assert (measured.system, measured.length_s) == (OURS, 4.0)
    assert 0.0 < measured.real_time_factor < 10.0
    assert 0.1 < measured.peak_gb < hog.nbytes / 1e9


def test_windows_give_the_notes_of_the_whole(weights: Path, clip: Path) -> None:
    agreement = speed.check_agreement(weights, "cpu", clip, 36.0)  # more than one window
    assert agreement.notes > 100
    assert agreement.repeatable
    assert agreement.different <= 0.02 * agreement.notes


def test_events_differ_by_time_pitch_and_family() -> None:
    notes = np.array([[0.0, 1.0, 60.2, 80, 0], [1.0, 2.0, 60.0, 80, 0], [2.0, 3.0, 60.0, 80, 0]])
    other = notes + np.array([5e-4, 0.1, 0.1, 10, 0])
    assert speed.count_different(notes, other) == 0
    other[1, 4], other[2, 0] = 3, 2.1
    assert speed.count_different(notes, other) == 4
    assert speed.count_different(notes, notes[:1]) == 2
    strokes = notes[:, [0, 4]]
    assert speed.count_different(strokes, strokes[:0]) == 3
    assert speed.count_different(strokes, strokes + np.array([0, 1])) == 6


def test_targets_of_speed_are_upper_bounds() -> None:
    minute, fast = Speed(OURS, 60.0, 0.5, 9.0), Speed(OURS, 600.0, 0.09, 1.4)
    assert all(verdict.met for verdict in judge_speed([minute, fast], ALIKE))
    slow = Speed(OURS, 600.0, 0.11, 1.6)
    peer = Speed("basic-pitch", 600.0, 0.01, 0.3)
    verdicts = judge_speed([peer, slow], Agreement(100, False, 1))
    assert [verdict.met for verdict in verdicts] == [False] * 3
