"""The wavelet transform of the trials: parity with PyWavelets, shapes, precision, chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

pywt = pytest.importorskip("pywt", reason="PyWavelets comes with the extra 'training'")

from inference_service.audio.spectrogram import SpectrogramConfig  # noqa: E402
from model_zoo.training.trials import wavelets  # noqa: E402
from model_zoo.training.trials.spectra import build  # noqa: E402
from model_zoo.training.trials.wavelets import WaveletTransform  # noqa: E402
from tests.factories import build_noise, build_tone  # noqa: E402

RATE_HZ = 22050
HOP_SAMPLES = 512


def _config(f_min_hz: float = 110.0) -> SpectrogramConfig:
    return SpectrogramConfig("cqt", RATE_HZ, HOP_SAMPLES / RATE_HZ, bins=36, f_min_hz=f_min_hz)


def _signal() -> NDArray[np.float32]:
    """Two seconds of a harmonic tone in noise."""
    return build_tone(440, 2.0, rate_hz=RATE_HZ, harmonics=8) + build_noise(2.0, rate_hz=RATE_HZ)


def _compute(config: SpectrogramConfig, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = WaveletTransform(config)(torch.from_numpy(samples)[None])[
        0
    ].numpy()
    return result


def test_parity_with_pywavelets() -> None:
    samples = _signal()
    frequencies_hz = 110.0 * 2.0 ** (np.arange(36) / 12)
    coefficients, their_frequencies_hz = pywt.cwt(
        samples, RATE_HZ / frequencies_hz, "cmor8.0-1.0", 1 / RATE_HZ
    )
    np.testing.assert_allclose(their_frequencies_hz, frequencies_hz, rtol=1e-6)
    theirs = np.abs(coefficients)[:, ::HOP_SAMPLES]
    ours = _compute(_config(), samples)
    assert np.linalg.norm(ours - theirs) <= 0.002 * np.linalg.norm(theirs)


@pytest.mark.parametrize("samples", [1, 511, 512, 5000, 22050])
def test_shape_and_finiteness_at_any_length(samples: int) -> None:
    batch = torch.from_numpy(build_noise(1.0, rate_hz=2 * samples)).reshape(2, samples)
    result = WaveletTransform(_config())(batch)
    assert result.shape == (2, 36, samples // HOP_SAMPLES + 1)
    assert result.dtype == torch.float32
    assert torch.isfinite(result).all()
    assert (result >= 0).all()


def test_silence_is_zero() -> None:
    assert (WaveletTransform(_config())(torch.zeros(1, 4000)) == 0).all()


@pytest.mark.parametrize("semitones", [12, 19, 31])
def test_a_tone_is_loudest_in_its_own_bin(semitones: int) -> None:
    tone = build_tone(110.0 * 2 ** (semitones / 12), 1.0, rate_hz=RATE_HZ)
    result = _compute(_config(), tone)
    assert result[:, result.shape[1] // 2].argmax() == semitones


def test_a_click_is_centred_on_its_frame() -> None:
    samples = np.zeros(20 * HOP_SAMPLES, np.float32)
    samples[7 * HOP_SAMPLES] = 1.0
    assert _compute(_config(), samples)[-1].argmax() == 7


def test_autocast_does_not_touch_the_precision() -> None:
    module, batch = WaveletTransform(_config()), torch.from_numpy(_signal())[None, :8000]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = module(batch)
    torch.testing.assert_close(under_autocast, module(batch))


def test_chunks_equal_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, config = _signal(), _config(220.0)
    whole = _compute(config, samples)
    monkeypatch.setattr(wavelets, "FFT_SAMPLES", 2**13)
    monkeypatch.setattr(wavelets, "SCALES_AT_ONCE", 7)
    np.testing.assert_allclose(_compute(config, samples), whole, atol=1e-5)


def test_the_trials_compare_wavelets_with_the_other_kinds() -> None:
    assert isinstance(build("cwt")[0], WaveletTransform)  # type: ignore[index]
