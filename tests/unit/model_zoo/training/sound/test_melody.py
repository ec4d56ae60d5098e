"""Invented melodies are singable."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.training.sound.melody import REACH, draw_melody

MELODIES = [draw_melody(np.random.default_rng(seed), 30.0) for seed in range(40)]


@pytest.mark.parametrize("notes", MELODIES)
def test_one_note_after_another(notes: np.ndarray) -> None:
    assert len(notes) >= 5
    assert notes[0, 0] >= 0
    assert (notes[:, 1] > notes[:, 0]).all()
    assert (notes[1:, 0] >= notes[:-1, 1]).all()
    assert notes[-1, 1] < 30.0
    assert np.ptp(notes[:, 2]) <= 2 * REACH
    assert ((notes[:, 3] >= 1) & (notes[:, 3] <= 127)).all()


def test_mostly_steps_and_rests_between_phrases() -> None:
    intervals = np.concatenate([np.abs(np.diff(notes[:, 2])) for notes in MELODIES])
    assert 0.5 < np.mean(intervals <= 2.5) < 0.95
    assert np.mean(intervals == 0) > 0.08
    gaps_s = np.concatenate([notes[1:, 0] - notes[:-1, 1] for notes in MELODIES])
    assert 0.03 < np.mean(gaps_s > 0.3) < 0.4


def test_lengths_are_those_of_singing() -> None:
    lengths_s = np.concatenate([notes[:, 1] - notes[:, 0] for notes in MELODIES])
    assert 0.25 < np.median(lengths_s) < 0.6


def test_a_seed_has_its_melody() -> None:
    np.testing.assert_array_equal(draw_melody(np.random.default_rng(3), 30.0), MELODIES[3])
    assert not np.array_equal(MELODIES[3][:5], MELODIES[4][:5])
