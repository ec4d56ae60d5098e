"""The band-pass filter."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.audio import denoise
from inference_service.audio.denoise import BandPass, Unchanged
from inference_service.audio.waveform import Samples, Waveform
from tests.factories import build_noise, build_tone

RATE_HZ = 44100


def _clean(samples: Samples, rate_hz: int = RATE_HZ) -> Samples:
    cleaned: Samples = BandPass().clean(Waveform(np.atleast_2d(samples), rate_hz)).samples[0]
    return cleaned


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples[len(samples) // 4 : -len(samples) // 4]))))


@pytest.mark.parametrize(
    ("f_hz", "gain", "within"),
    [(20.0, 0.0, 1e-3), (50.0, 0.0, 0.2), (100.0, 1.0, 0.02), (440.0, 1.0, 1e-3),
     (3000.0, 1.0, 0.03), (10_000.0, 0.0, 0.01)],
)  # fmt: skip
def test_what_lies_within_the_band_passes(f_hz: float, gain: float, within: float) -> None:
    tone = build_tone(f_hz, 4.0)
    assert _level(_clean(tone)) / _level(tone) == pytest.approx(gain, abs=within)


def test_no_onset_moves() -> None:
    click = np.zeros(RATE_HZ, np.float32)
    click[20_000] = 1.0
    assert np.argmax(np.abs(_clean(click))) == 20_000


def test_blocks_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = build_noise(7.0)
    whole = _clean(noise)
    monkeypatch.setattr(denoise, "BLOCK_S", 1.5)
    np.testing.assert_allclose(_clean(noise), whole, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 30, 4410])
@pytest.mark.parametrize("rate_hz", [8000, 44100, 192_000])
def test_any_length_and_rate(size: int, rate_hz: int) -> None:
    cleaned = _clean(build_noise(size / rate_hz, rate_hz=rate_hz)[:size], rate_hz)
    assert cleaned.dtype == np.float32
    assert np.isfinite(cleaned).all()


def test_nothing_is_done_by_default() -> None:
    waveform = Waveform(build_noise(0.1)[None], RATE_HZ)
    assert Unchanged().clean(waveform) is waveform
