"""The Mel-band RoFormer with random parameters, against another implementation; its contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled, ModelRejected
from inference_service.progress import ignore
from inference_service.separation.band_network import BandConfig, BandRoformer, load_published
from inference_service.separation.band_roformer import BandRoformerSeparator
from tests.factories import build_noise
from tests.unit.separation.checkpoints import (
    build_band_roformer,
    build_reference,
    encode_checkpoint,
)

RATE_HZ = 44100
WINDOW = 88_200


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w.ckpt"
    path.write_bytes(build_band_roformer())
    return path


@pytest.fixture(scope="module")
def separator(path: Path) -> BandRoformerSeparator:
    return BandRoformerSeparator(load_published(path), window_samples=WINDOW)


def test_is_the_network_of_the_package(path: Path) -> None:
    samples = 0.1 * torch.randn(1, 2, 100 * 441)
    network = load_published(path)
    assert network.config == BandConfig(width=16, depth=2, heads=2, head_width=8)
    with torch.inference_mode():
        expected = build_reference()(samples)
        found = network(samples)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)


def test_the_published_size_is_that_of_the_default_sizes() -> None:
    with torch.device("meta"):
        tensors = BandRoformer(BandConfig()).state_dict()
    size_bytes = sum(4 * tensor.numel() for tensor in tensors.values())
    assert 0 < 913_106_900 - size_bytes < 512 * len(tensors)  # each has a name and a header


@pytest.mark.parametrize("rate_hz", [44_100, 16_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [1, 30_000, 100_000])
def test_stems_look_like_the_mixture_and_sum_to_it(
    separator: BandRoformerSeparator, rate_hz: int, channels: int, length: int
) -> None:
    mixture = Waveform(np.tile(build_noise(5.0)[:length], (channels, 1)), rate_hz)
    stems = separator.separate(mixture, ignore)
    assert tuple(stems) == BandRoformerSeparator.stems
    for stem in stems.values():
        assert stem.sample_rate_hz == rate_hz
        assert stem.samples.shape == mixture.samples.shape
    total = stems["vocals"].samples + stems["accompaniment"].samples
    np.testing.assert_allclose(total, mixture.samples, atol=1e-6)


def test_one_window_is_what_the_network_hears(separator: BandRoformerSeparator, path: Path) -> None:
    samples = np.stack([build_noise(2.0), build_noise(2.0)[::-1]])
    found = separator.separate(Waveform(samples, RATE_HZ), ignore)["vocals"].samples
    with torch.inference_mode():
        expected = load_published(path)(torch.from_numpy(samples.copy())[None])[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_reports_layers_and_cancels_between_them(separator: BandRoformerSeparator) -> None:
    mixture = Waveform(build_noise(5.0)[None], RATE_HZ)
    seen: list[float] = []
    separator.separate(mixture, seen.append)
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)

    def stop(fraction: float) -> None:
        if fraction > 0.2:
            raise Cancelled("gone")

    with pytest.raises(Cancelled):
        separator.separate(mixture, stop)


def test_other_files_are_refused(tmp_path: Path) -> None:
    published = build_reference().state_dict()
    name = "layers.1.0.norm.gamma"
    path = tmp_path / "w.ckpt"
    for content in (
        b"no checkpoint",
        encode_checkpoint({}),
        encode_checkpoint({"state_dict": published}),
        encode_checkpoint({key: value for key, value in published.items() if key != name}),
        encode_checkpoint(published | {name: torch.full_like(published[name], np.nan)}),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelRejected, match=r"w\.ckpt"):
            load_published(path)
