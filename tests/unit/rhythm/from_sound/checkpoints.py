"""Checkpoints of Beat This! in the published layout, with random parameters."""

from __future__ import annotations

import io
from typing import Any

import torch
from beat_this.model.beat_tracker import BeatThis

SIZES = {"transformer_dim": 16, "n_layers": 1, "head_dim": 8, "stem_dim": 8, "ff_mult": 2}


def build_beat_this(**changes: Any) -> bytes:
    """Return a small checkpoint as the training of Beat This! writes it with Lightning."""
    torch.manual_seed(3)
    network = BeatThis(**SIZES)
    with torch.no_grad():  # without it, random log odds are nearly constant
        for parameter in network.parameters():
            parameter.mul_(4.0)
    checkpoint = {
        "state_dict": {f"model.{name}": value for name, value in network.state_dict().items()},
        "hyper_parameters": {**SIZES, "lr": 0.0008, "fps": 50, "max_epochs": 100},
        "datamodule_hyper_parameters": {"spect_fps": 50},
    }
    stream = io.BytesIO()
    torch.save(checkpoint | changes, stream)
    return stream.getvalue()
