"""The beat network's input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference_service.audio.waveform import Waveform
from inference_service.rhythm.from_sound.features import (
    BLOCK_FRAMES,
    FRAMES_PER_S,
    SPECTROGRAM,
    compute_features,
    count_feature_frames,
    spectra,
)
from tests.factories import build_noise

RATE_HZ = SPECTROGRAM.sample_rate_hz


def test_blocks_give_what_the_whole_gives() -> None:
    samples = build_noise(1.7 * BLOCK_FRAMES / FRAMES_PER_S, rate_hz=RATE_HZ)
    samples *= np.float32(0.1 / np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    with torch.inference_mode():
        whole = spectra()(torch.from_numpy(samples)[None])[0].numpy()
    assert np.allclose(compute_features(Waveform(samples[None], RATE_HZ)), whole, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 440, 441, 442, 50_000])
@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100, 8_000])
def test_every_length_has_its_frames(count: int, rate_hz: int) -> None:
    waveform = Waveform(np.zeros((2, count), np.float32), rate_hz)
    features = compute_features(waveform)
    assert features.shape[0] == SPECTROGRAM.bins
    assert abs(features.shape[1] - count_feature_frames(waveform)) <= 1
    assert not features.any()


def test_loudness_does_not_matter() -> None:
    samples = build_noise(3.0)[None]
    loud = compute_features(Waveform(samples, 44_100))
    quiet = compute_features(Waveform(samples * np.float32(0.02), 44_100))
    assert np.allclose(loud, quiet, atol=1e-3)


def test_a_click_is_in_its_frame() -> None:
    samples = np.zeros(4 * RATE_HZ, np.float32)
    samples[2 * RATE_HZ] = 1.0
    features = compute_features(Waveform(samples[None], RATE_HZ))
    assert features.sum(axis=0).argmax() == 2 * FRAMES_PER_S
