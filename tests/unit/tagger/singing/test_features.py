"""Input features of the network for sung notes."""

from __future__ import annotations

import numpy as np
import pytest
from swift_f0 import PitchResult

from inference_service.tagger.singing import features
from inference_service.tagger.singing.features import (
    COLUMNS,
    CONTOUR_ROWS,
    HOP_S,
    HOP_SAMPLES,
    LAGS,
    LOUD_DB,
    MAX_GAIN_DB,
    RATE_HZ,
    SPECTROGRAM,
    WIDEST_STEP,
    compute_spectrogram,
    describe_contour,
    gain_db,
    pitches,
)
from tests.factories import build_noise


def contour_of(pitch: list[float], confidence: float = 1.0, level_db: float = -30.0) -> PitchResult:
    count = len(pitch)
    hz = 440 * 2 ** ((np.array(pitch) - 69) / 12)
    times_s = np.arange(count) * HOP_S
    return PitchResult(times_s, hz, np.full(count, confidence), np.full(count, level_db))


def test_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = build_noise(1.0, rate_hz=RATE_HZ)
    frames = len(samples) // HOP_SAMPLES
    whole = compute_spectrogram(samples, 3.0, frames)
    monkeypatch.setattr(features, "BLOCK_FRAMES", 7)
    assert whole.shape == (SPECTROGRAM.bins, COLUMNS * frames)
    assert np.allclose(compute_spectrogram(samples, 3.0, frames), whole, atol=1e-6)


def test_a_recording_of_less_than_a_frame_has_a_frame() -> None:
    assert compute_spectrogram(np.ones(9, np.float32), 0.0, 1).shape == (SPECTROGRAM.bins, COLUMNS)


def test_quiet_and_loud_copies_look_alike() -> None:
    samples = build_noise(0.5, rate_hz=RATE_HZ)
    frames = len(samples) // HOP_SAMPLES
    loud, quiet = contour_of([60.0] * frames, level_db=-20), contour_of([60.0] * frames, 1.0, -40)
    one = compute_spectrogram(samples, gain_db(loud), frames)
    other = compute_spectrogram(samples * np.float32(0.1), gain_db(quiet), frames)
    assert np.allclose(one, other, atol=1e-4)
    assert np.allclose(describe_contour(loud), describe_contour(quiet))
    assert gain_db(loud) == pytest.approx(LOUD_DB + 20)


def test_silence_is_not_raised_without_end() -> None:
    assert gain_db(contour_of([60.0], level_db=-140.0)) == MAX_GAIN_DB


def test_steps_do_not_depend_on_the_register() -> None:
    low, high = ([base] * 20 + [base + 2] * 20 for base in (50.0, 70.0))
    steps = [describe_contour(contour_of(pitch))[3:] for pitch in (low, high)]
    assert len(steps[0]) == len(LAGS) == CONTOUR_ROWS - 3
    assert np.allclose(steps[0], steps[1], atol=1e-4)
    ahead = LAGS.index(4)
    assert np.allclose(steps[0][ahead, 16:20], 2.0, atol=1e-4)
    assert np.allclose(steps[0][ahead, 20:], 0.0, atol=1e-4)


def test_steps_are_bounded_and_zero_where_unvoiced() -> None:
    pitch = [50.0] * 20 + [80.0] * 20
    assert np.abs(describe_contour(contour_of(pitch))[3:]).max() == pytest.approx(WIDEST_STEP)
    rows = describe_contour(contour_of(pitch, confidence=0.0))
    assert not rows[:2].any()
    assert not rows[3:].any()


def test_pitches_are_midi_numbers() -> None:
    assert np.allclose(pitches(contour_of([48.5, 69.0])), [48.5, 69.0])
