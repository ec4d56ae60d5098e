"""The separator with our network: its contract for any audio and any weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.audio.waveform import Samples, Waveform
from inference_service.checkpoint import load_network, read_metadata, save_network
from inference_service.errors import Cancelled
from inference_service.progress import ignore
from inference_service.separation.mask_network import MaskNet, MaskNetConfig
from inference_service.separation.masking import MaskingSeparator
from tests.factories import build_noise, build_tone

RATE_HZ = 44100
TINY = MaskNetConfig(bins=256, channels=(4, 6, 8))


@pytest.fixture(scope="module")
def network() -> MaskNet:
    """An untrained network whose normalisation statistics differ from their initial values."""
    torch.manual_seed(0)
    network = MaskNet(TINY)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(network.transform(0.1 * torch.randn(2, 2, RATE_HZ)))
    return network.eval()


def _separate(network: MaskNet, samples: Samples, rate_hz: int = RATE_HZ) -> tuple[Samples, ...]:
    separator = MaskingSeparator(network, window_s=2.0)
    stems = separator.separate(Waveform(np.atleast_2d(samples), rate_hz), ignore)
    assert tuple(stems) == MaskingSeparator.stems
    assert all(stem.sample_rate_hz == rate_hz for stem in stems.values())
    return stems["vocals"].samples, stems["accompaniment"].samples


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE_HZ, np.float32),
        build_tone(440.0, 3.0),
        build_noise(3.0),
        build_noise(0.02),
        build_noise(0.001),
        np.eye(1, RATE_HZ, 1000, dtype=np.float32)[0],
    ],
    ids=["silence", "sine", "noise", "20 ms", "1 ms", "click"],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_any_sound_is_split_without_a_rest(
    network: MaskNet, samples: Samples, channels: int
) -> None:
    mixture = np.tile(samples, (channels, 1))
    vocals, accompaniment = _separate(network, mixture)
    assert vocals.shape == accompaniment.shape == mixture.shape
    assert vocals.dtype == accompaniment.dtype == np.float32
    assert np.isfinite(vocals).all()
    np.testing.assert_allclose(vocals + accompaniment, mixture, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [16000, 22050, 48000])
def test_any_rate(network: MaskNet, rate_hz: int) -> None:
    mixture = build_noise(1.0, rate_hz=rate_hz)[: rate_hz - 7]
    vocals, accompaniment = _separate(network, mixture, rate_hz)
    np.testing.assert_allclose(vocals[0] + accompaniment[0], mixture, atol=1e-6)


def test_windows_leave_no_trace(network: MaskNet) -> None:
    mixture = np.stack([build_noise(9.3), build_tone(330.0, 9.3)])
    waveform = Waveform(mixture, RATE_HZ)
    whole = MaskingSeparator(network, window_s=60.0).separate(waveform, ignore)
    parts = MaskingSeparator(network, window_s=0.5).separate(waveform, ignore)
    np.testing.assert_allclose(parts["vocals"].samples, whole["vocals"].samples, atol=1e-6)


def test_what_is_twice_as_loud_is_heard_alike(network: MaskNet) -> None:
    soft, _ = _separate(network, build_noise(1.0) * np.float32(0.25))
    loud, _ = _separate(network, build_noise(1.0) * np.float32(0.5))
    np.testing.assert_allclose(loud, 2 * soft, atol=1e-6)


def test_an_output_depends_on_no_more_than_its_context(network: MaskNet) -> None:
    config = network.config
    frames = 40 * config.stride_frames
    spectra = torch.view_as_complex(torch.randn(1, 2, frames, 2049, 2))
    at = frames // 2 + 1
    changed = spectra.clone()
    changed[:, :, at] += 10
    with torch.no_grad():
        moved = (network(changed) - network(spectra)).abs().amax((0, 1, 3))
    reached = moved.nonzero().flatten() - at
    assert reached.min() >= -config.context_frames
    assert reached.max() <= config.context_frames


def test_masks_that_let_everything_pass_return_the_mixture() -> None:
    network = MaskNet(TINY).eval()
    samples = torch.randn(1, 2, 3 * RATE_HZ)
    spectra = network.transform(samples)
    torch.testing.assert_close(network.restore(spectra, 3 * RATE_HZ), samples, atol=1e-5, rtol=0)


def test_cancelling_stops_it(network: MaskNet) -> None:
    fractions: list[float] = []

    def cancel(fraction: float) -> None:
        fractions.append(fraction)
        if len(fractions) == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        MaskingSeparator(network, window_s=0.5).separate(
            Waveform(build_noise(20.0)[None], RATE_HZ), cancel
        )
    assert 0 < fractions[-1] < 1


def test_weights_come_back(network: MaskNet, tmp_path: Path) -> None:
    path = tmp_path / "vocals.safetensors"
    save_network(network, path, {"steps": "3"})
    again = load_network(path, MaskNet)
    assert again.config == network.config
    assert read_metadata(path)["steps"] == "3"
    spectra = network.transform(0.1 * torch.randn(1, 2, RATE_HZ))
    with torch.no_grad():
        torch.testing.assert_close(again(spectra), network(spectra))


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        MaskingSeparator.from_file(tmp_path / "none.safetensors")
