"""The beat network: which frames its outputs depend on, and its checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inference_service.checkpoint import load_network, save_network
from inference_service.rhythm.from_sound.network import BeatNet, BeatNetConfig

SMALL = BeatNetConfig(bins=96, channels=8, doublings=4)


@pytest.fixture(name="network")
def build_network() -> BeatNet:
    torch.manual_seed(0)
    return BeatNet(SMALL).eval()


def test_an_output_depends_on_its_context_alone(network: BeatNet) -> None:
    features = torch.rand(1, 96, 301, requires_grad=True)
    network(features).beat[0, 150].backward()
    assert features.grad is not None
    touched = features.grad[0].abs().sum(dim=0).nonzero().flatten()
    assert touched.min() >= 150 - SMALL.context_frames
    assert touched.max() <= 150 + SMALL.context_frames


def test_the_file_gives_the_network_back(network: BeatNet, tmp_path: Path) -> None:
    path = tmp_path / "beats.safetensors"
    save_network(network, path, {"hours": "0"})
    features = torch.rand(2, 96, 100)
    again = load_network(path, BeatNet)
    assert again.config == SMALL
    for ours, theirs in zip(network(features), again(features), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("frames", [1, 7, 1000])
def test_every_length_has_an_output_a_frame(network: BeatNet, frames: int) -> None:
    for logits in network(torch.rand(1, 96, frames)):
        assert logits.shape == (1, frames)
