"""The note tagger's network: shapes, receptive field, and weights on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inference_service.checkpoint import load_network, save_network
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.network import (
    DRUMS,
    NoteNet,
    NoteNetConfig,
    _attend_near,
)

SMALL = NoteNetConfig(
    front_end_channels=4, channels=8, width=16, layers=1, heads=2, reach=3, before=(1,), after=(1,)
)


@pytest.fixture
def network() -> NoteNet:
    torch.manual_seed(0)
    return NoteNet(SMALL).eval()


@pytest.mark.parametrize("frames", [1, 2, 7, 50])
def test_tells_of_every_frame(network: NoteNet, frames: int) -> None:
    samples = torch.randn(2, (frames - 1) * 441 + 1)
    with torch.inference_mode():
        logits = network(samples)
    assert logits.onset.shape == logits.bend.shape == (2, frames, 88)
    assert logits.family.shape == (2, frames, 88, len(FAMILIES))
    assert logits.drum_onset.shape == logits.drum_velocity.shape == (2, frames, len(DRUMS))
    assert all(torch.isfinite(values).all() for values in logits)


def test_nothing_beyond_its_context_matters(network: NoteNet) -> None:
    hop, context = SMALL.spectrogram.hop_samples, SMALL.context_frames
    frames, middle = 2 * context + 40, context + 20
    near = (context + network.kernel_samples // 2 // hop + 1) * hop
    samples = torch.randn(1, (frames - 1) * hop + 1) * 0.1
    other = samples.clone()
    other[:, middle * hop + near :] = torch.randn_like(other[:, middle * hop + near :])
    with torch.inference_mode():
        first, second = network(samples), network(other)
    for a, b in zip(first, second, strict=True):
        assert torch.allclose(a[:, : middle + 1], b[:, : middle + 1], atol=1e-5)
        assert not torch.allclose(a[:, -5:], b[:, -5:], atol=1e-3)


def test_every_weight_learns(network: NoteNet) -> None:
    network.train()
    logits = network(torch.randn(2, 441 * 20) * 0.1)
    torch.stack([values.square().mean() for values in logits]).sum().backward()  # type: ignore[no-untyped-call]
    assert not [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]


def test_weights_survive_the_disk(network: NoteNet, tmp_path: Path) -> None:
    save_network(network, tmp_path / "w.safetensors", {"steps": "0"})
    loaded = load_network(tmp_path / "w.safetensors", NoteNet)
    assert loaded.config == SMALL
    samples = torch.randn(1, 441 * 20)
    with torch.inference_mode():
        for a, b in zip(network(samples), loaded(samples), strict=True):
            assert torch.equal(a, b)


def test_the_real_network_stays_small() -> None:
    parameters = sum(p.numel() for p in NoteNet().parameters())
    assert parameters <= 10_000_000


@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 30])
def test_attention_in_blocks_is_attention_within_reach(length: int) -> None:
    reach = 4
    query, key, value = torch.randn(3, 2, 3, length, 8, generator=torch.Generator().manual_seed(0))
    place = torch.arange(length)
    far = (place[:, None] - place).abs() > reach
    whole = (query @ key.transpose(-2, -1) * 8**-0.5).masked_fill(far, -torch.inf).softmax(-1)
    torch.testing.assert_close(_attend_near(query, key, value, reach), whole @ value)
