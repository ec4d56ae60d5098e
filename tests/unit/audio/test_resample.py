"""Sample-rate conversion: lengths, shapes, pass band and rejection."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.audio.resample import convert_on_device, resample, resample_stream
from tests.factories import build_noise, build_tone


@pytest.mark.parametrize("samples_in", [0, 1, 7, 1000, 44101])
@pytest.mark.parametrize(("from_hz", "to_hz"), [(44100, 16000), (16000, 44100), (44100, 48000)])
def test_length_is_rounded_up(samples_in: int, from_hz: int, to_hz: int) -> None:
    converted = resample(np.ones((2, samples_in), np.float32), from_hz, to_hz)
    assert converted.shape == (2, -(-samples_in * to_hz // from_hz))
    assert converted.dtype == np.float32
    assert converted.flags.c_contiguous


def test_equal_rates_change_nothing() -> None:
    samples = build_tone(440)
    assert resample(samples, 44100, 44100) is samples


def test_tone_keeps_its_phase_and_amplitude() -> None:
    converted = resample(build_tone(440), 44100, 16000)
    expected = build_tone(440, rate_hz=16000)
    np.testing.assert_allclose(converted[200:-200], expected[200:-200], atol=1e-4)


def test_rejects_what_the_lower_rate_cannot_hold() -> None:
    assert np.abs(resample(build_tone(9000), 44100, 16000))[100:-100].max() < 1e-4


def test_channels_are_independent() -> None:
    tones = np.stack([build_tone(440), build_tone(550)])
    converted = resample(tones, 44100, 22050)
    for channel, tone in zip(converted, tones, strict=True):
        np.testing.assert_array_equal(channel, resample(tone, 44100, 22050))


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44100, 16000), (16000, 44100), (44100, 48000)])
def test_an_accelerator_converts_as_a_cpu_does(from_hz: int, to_hz: int) -> None:
    tone = build_tone(0.45 * min(from_hz, to_hz), rate_hz=from_hz)
    samples = np.stack([tone, build_tone(440, rate_hz=from_hz)])
    ours, theirs = (
        resample(samples, from_hz, to_hz),
        convert_on_device(samples, from_hz, to_hz, "cpu"),
    )
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours[:, 500:-500], theirs[:, 500:-500], atol=2e-3)
    np.testing.assert_allclose(ours[1, 500:-500], theirs[1, 500:-500], atol=2e-5)


def test_an_accelerator_rejects_as_much() -> None:
    converted = convert_on_device(build_tone(9000), 44100, 16000, "cpu")
    assert np.abs(converted)[200:-200].max() < 1e-4


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48000, 44100), (16000, 44100), (44100, 44100)])
@pytest.mark.parametrize("samples_in", [1, 999, 20000])
def test_a_stream_is_converted_as_the_whole(from_hz: int, to_hz: int, samples_in: int) -> None:
    samples = np.stack([build_noise(2.0)[:samples_in], build_tone(440, 2.0)[:samples_in]])
    blocks = (samples[:, start : start + 700] for start in range(0, samples_in, 700))
    streamed = np.concatenate(list(resample_stream(blocks, 2, from_hz, to_hz)), axis=1)
    whole = resample(samples, from_hz, to_hz)
    assert whole.shape[1] - streamed.shape[1] in (0, 1)
    np.testing.assert_allclose(streamed, whole[:, : streamed.shape[1]], atol=1e-6)
