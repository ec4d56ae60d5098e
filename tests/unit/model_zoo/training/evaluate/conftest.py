"""Fixtures: an untrained network and a clip for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch

from inference_service.checkpoint import save_network
from inference_service.tagger.notes.decoding import DECODING_KEY
from inference_service.tagger.notes.network import NoteNet, NoteNetConfig
from tests.factories import build_notes, build_scale

SMALL = NoteNetConfig(
    front_end_channels=4, channels=8, width=16, layers=1, heads=2, reach=3, before=(1,), after=(1,)
)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small untrained network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    network = NoteNet(SMALL).eval()
    with torch.no_grad():  # else the outputs of untrained heads hardly vary
        network.heads.weight.mul_(4.0)
    save_network(network, path, {DECODING_KEY: json.dumps({"onset": 0.35, "frame": 0.05})})
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file of a scale."""
    path = tmp_path_factory.mktemp("clips") / "scale.flac"
    sound = build_notes(build_scale())
    soundfile.write(path, sound.mono(), sound.sample_rate_hz)
    return path
