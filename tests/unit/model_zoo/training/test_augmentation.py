"""Augmentation of spectrograms: gains within their limits, and noise floors."""

from __future__ import annotations

import numpy as np

from model_zoo.training.augmentation import colour

LOGS = np.log1p(np.full((24, 40), 100.0)).astype(np.float16)


def test_gains_are_within_their_limits() -> None:
    found_db = []
    for seed in range(40):
        coloured = colour(LOGS, np.random.default_rng(seed), curve_db=6.0, level_db=5.0)
        assert coloured.dtype == np.float32
        if np.ptp(coloured, axis=1).max() == 0.0:  # without noise, frames stay equal
            found_db.append(20 * np.log10(np.expm1(coloured[:, 0]) / 100.0))
    assert 15 <= len(found_db) <= 32, "about 40 % have noise"
    assert 6.0 < np.abs(found_db).max() <= 11.1


def test_a_noise_floor_is_all_that_silence_gets() -> None:
    silence = np.zeros((24, 40), np.float16)
    means = [colour(silence, np.random.default_rng(seed), 9.0, 8.0).mean() for seed in range(40)]
    assert 8 <= sum(mean > 0.0 for mean in means) <= 25


def test_the_same_seed_gives_the_same_spectrogram() -> None:
    first, second = (colour(LOGS, np.random.default_rng(3), 9.0, 8.0) for _ in range(2))
    assert np.array_equal(first, second)
