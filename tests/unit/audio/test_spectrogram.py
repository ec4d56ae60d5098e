"""Spectrograms: parity with librosa and SciPy, shapes, precision, chunks."""

from __future__ import annotations

import functools
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference_service.audio.spectrogram import (
    Kind,
    LogCompression,
    SpectrogramConfig,
    build_spectrogram,
)
from tests.factories import build_noise, build_tone

RATE_HZ = 22050
HOP_SAMPLES = 512
BINS: dict[str, int] = {"stft": 513, "mel": 128, "gammatone": 64, "cqt": 84, "vqt": 84}
KINDS: tuple[Kind, ...] = get_args(Kind)


def _config(kind: Kind, **changes: Any) -> SpectrogramConfig:
    described: dict[str, Any] = {
        "sample_rate_hz": RATE_HZ,
        "hop_s": HOP_SAMPLES / RATE_HZ,
        "bins": BINS[kind],
        "window_s": 1024 / RATE_HZ,
        "f_min_hz": 27.5,
    }
    return SpectrogramConfig(kind, **(described | changes))


def _signal() -> NDArray[np.float32]:
    """Two seconds of a harmonic tone in noise."""
    return build_tone(440, 2.0, rate_hz=RATE_HZ, harmonics=8) + build_noise(2.0, rate_hz=RATE_HZ)


def _compute(config: SpectrogramConfig, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = build_spectrogram(config)(torch.from_numpy(samples)[None])[
        0
    ].numpy()
    return result


def _reference(kind: Kind, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    librosa = pytest.importorskip("librosa")
    hop: dict[str, Any] = {"hop_length": HOP_SAMPLES}
    log: dict[str, Any] = {
        **hop,
        "sr": RATE_HZ,
        "fmin": 27.5,
        "n_bins": BINS["cqt"],
        "sparsity": 0.0,
    }
    compute = {
        "stft": functools.partial(librosa.stft, n_fft=1024, **hop),
        "mel": functools.partial(
            librosa.feature.melspectrogram,
            sr=RATE_HZ,
            n_fft=1024,
            n_mels=BINS["mel"],
            fmin=27.5,
            power=1.0,
            **hop,
        ),
        "cqt": functools.partial(librosa.cqt, **log),
        "vqt": functools.partial(librosa.vqt, gamma=20.0, **log),
    }[kind]
    magnitudes: NDArray[np.float32] = np.abs(compute(y=samples))
    return magnitudes


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    # librosa's constant- and variable-Q resample between octaves, ours convolves at full rate.
    [("stft", 1e-5), ("mel", 1e-5), ("cqt", 0.03), ("vqt", 0.03)],
)
def test_parity_with_librosa(kind: Kind, tolerance: float) -> None:
    samples = _signal()
    ours, theirs = _compute(_config(kind), samples), _reference(kind, samples)
    assert ours.shape == theirs.shape
    assert np.linalg.norm(ours - theirs) <= tolerance * np.linalg.norm(theirs)


def test_parity_of_gammatone_with_scipy() -> None:
    """Each filter's gain over frequency is that of SciPy's IIR gammatone at its ERB centre."""
    signal = pytest.importorskip("scipy.signal")
    config = _config("gammatone", window_s=2048 / RATE_HZ, f_min_hz=200.0)
    bins = config.bins
    gains = build_spectrogram(config).get_buffer("module.gammatone_basis").numpy()
    grid_hz = np.linspace(0, RATE_HZ / 2, gains.shape[1])
    q, width_hz = 9.26449, 24.7  # Slaney, "Auditory Toolbox", 1998: the scale's two constants
    ends = np.log(np.array([RATE_HZ / 2, 200.0]) + q * width_hz)
    centres_hz = np.exp(ends[1] + (ends[0] - ends[1]) * np.arange(bins) / bins) - q * width_hz

    for band in range(8, bins - 8, 8):
        b, a = signal.gammatone(centres_hz[band], "iir", fs=RATE_HZ)
        _, response = signal.freqz(b, a, worN=grid_hz, fs=RATE_HZ)
        expected = np.abs(response) / np.abs(response).max()
        assert gains[band].max() == pytest.approx(1.0, abs=0.02)
        strong = expected > 0.1
        np.testing.assert_allclose(gains[band][strong], expected[strong], atol=0.03)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [1, 511, 512, 5000, 22050])
def test_shape_and_finiteness_at_any_length(kind: Kind, samples: int) -> None:
    config = _config(kind)
    batch = torch.from_numpy(build_noise(1.0, rate_hz=2 * samples)).reshape(2, samples)
    result = build_spectrogram(config)(batch)
    assert result.shape == (2, config.bins, samples // HOP_SAMPLES + 1)
    assert result.shape[-1] == config.count_frames(samples)
    assert result.dtype == torch.float32
    assert torch.isfinite(result).all()
    assert (result >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_silence_is_zero(kind: Kind) -> None:
    result = build_spectrogram(_config(kind))(torch.zeros(1, 4000))
    assert (result == 0).all()
    assert (LogCompression()(result) == 0).all()


@pytest.mark.parametrize("kind", ["cqt", "vqt"])
@pytest.mark.parametrize("semitones", [12, 19, 31])
def test_a_tone_is_loudest_in_its_own_bin(kind: Kind, semitones: int) -> None:
    config = _config(kind)
    tone = build_tone(config.f_min_hz * 2 ** (semitones / 12), 1.0, rate_hz=RATE_HZ)
    result = _compute(config, tone)
    assert result[:, result.shape[1] // 2].argmax() == semitones


@pytest.mark.parametrize("kind", KINDS)
def test_a_click_is_centred_on_its_frame(kind: Kind) -> None:
    samples = np.zeros(20 * HOP_SAMPLES, np.float32)
    samples[7 * HOP_SAMPLES] = 1.0
    result = _compute(_config(kind), samples)
    assert result[-1].argmax() == 7


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_does_not_touch_the_precision(kind: Kind) -> None:
    module, batch = build_spectrogram(_config(kind)), torch.from_numpy(_signal())[None, :8000]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = module(batch)
    torch.testing.assert_close(under_autocast, module(batch))


def test_no_parameters_to_train() -> None:
    for kind in KINDS:
        assert not list(build_spectrogram(_config(kind)).parameters())


def test_units_are_derived() -> None:
    config = _config("mel", hop_s=0.01)
    assert config.hop_samples == 220
    assert config.frame_rate_hz == pytest.approx(RATE_HZ / 220)
    assert config.fft_samples == 1024


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "cqt", "bins": 120},
        {"kind": "mel", "f_max_hz": 12000.0},
        {"kind": "stft", "bins": 514},
        {"kind": "mel", "hop_s": 0.0},
        {"kind": "mel", "bins": 0},
    ],
)
def test_refuses_what_makes_no_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"over half|fewer than|positive"):
        _config(**changes)


def test_log_compression() -> None:
    compressed = LogCompression(floor=0.01)(torch.tensor([0.0, 0.01, 100.0]))
    torch.testing.assert_close(compressed, torch.log(torch.tensor([1.0, 2.0, 10001.0])))
