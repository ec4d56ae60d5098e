"""Tuning: known deviations, and sounds without a tuning."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.audio.tuning import estimate_tuning
from inference_service.audio.waveform import Waveform
from tests.factories import build_noise, build_notes, build_scale, build_tone


@pytest.mark.parametrize("tuning_cents", [-49, -30, -10, 0, 5, 20, 33, 48])
def test_melody_of_known_tuning(tuning_cents: float) -> None:
    waveform = build_notes(build_scale(), tuning_cents=tuning_cents)
    assert estimate_tuning(waveform) == pytest.approx(tuning_cents, abs=3)


@pytest.mark.parametrize("tuning_cents", [-25, 25])
@pytest.mark.parametrize("pitch", [45, 57, 81])
def test_steady_harmonic_tone(pitch: int, tuning_cents: float) -> None:
    f_hz = 440 * 2 ** ((pitch - 69 + tuning_cents / 100) / 12)
    waveform = Waveform(build_tone(f_hz, 3.0, harmonics=6)[np.newaxis], 44100)
    assert estimate_tuning(waveform) == pytest.approx(tuning_cents, abs=3)


def test_half_a_semitone_is_within_the_half_open_range() -> None:
    cents = estimate_tuning(build_notes(build_scale(), tuning_cents=50))
    assert -50 <= cents < 50
    assert abs(cents) > 47


def test_stereo_at_another_rate() -> None:
    tone = build_tone(440 * 2 ** (0.12 / 12), 2.0, rate_hz=48000, harmonics=4)
    waveform = Waveform(np.stack([tone, 0.5 * tone]), 48000)
    assert estimate_tuning(waveform) == pytest.approx(12, abs=3)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(44100, np.float32),
        np.zeros(1, np.float32),
        build_noise(5.0),
        np.eye(1, 44100, dtype=np.float32)[0],
    ],
    ids=["silence", "one sample", "noise", "click"],
)
def test_no_tuning_is_zero(samples: np.ndarray) -> None:
    assert estimate_tuning(Waveform(samples[np.newaxis], 44100)) == 0.0


def test_long_recordings_are_heard_in_part() -> None:
    waveform = Waveform(np.tile(build_tone(445, 1.0, harmonics=4), 600)[np.newaxis], 44100)
    assert estimate_tuning(waveform) == pytest.approx(19.6, abs=3)
