"""What separation leaves of a singer."""

from __future__ import annotations

import numpy as np

from model_zoo.training.singing.residue import separate_badly
from model_zoo.training.sound.fluidsynth import RATE_HZ
from tests.factories import build_noise, build_tone


def test_most_of_the_singer_is_left_and_little_of_the_band() -> None:
    singer = build_tone(220.0, 2.0, rate_hz=RATE_HZ, harmonics=8)
    band = build_noise(2.0, rate_hz=RATE_HZ)
    ratios_db, kinds = [], set()
    for seed in range(24):
        left = separate_badly(singer, band, np.random.default_rng(seed))
        assert left.shape == singer.shape
        assert left.dtype == np.float32
        assert np.isfinite(left).all()
        scale = float(left @ singer / (singer @ singer))
        kinds.add(scale > 0.999)
        ratios_db.append(
            10 * np.log10(scale**2 * (singer @ singer) / np.sum((left - scale * singer) ** 2))
        )
    assert np.median(ratios_db) > 8.0
    assert np.ptp(ratios_db) > 6.0
    assert kinds == {True, False}, "some masked, some only mixed"


def test_a_silent_singer_or_band_is_no_trouble() -> None:
    tone = build_tone(220.0, 1.0, rate_hz=RATE_HZ)
    for seed in range(8):
        for singer, band in ((tone, 0 * tone), (0 * tone, tone), (0 * tone, 0 * tone)):
            left = separate_badly(singer, band, np.random.default_rng(seed))
            assert np.isfinite(left).all()


def test_the_same_for_a_seed() -> None:
    singer, band = build_tone(220.0, 1.0, rate_hz=RATE_HZ), build_noise(1.0, rate_hz=RATE_HZ)
    one, other = (separate_badly(singer, band, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, other)
