"""Checkpoints of Mel-band RoFormers in the published layout, with random parameters."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch
from mel_band_roformer import MelBandRoformer

SIZES: dict[str, Any] = {
    "dim": 16,
    "depth": 2,
    "stereo": True,
    "num_stems": 1,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 1,
    "num_bands": 60,
    "dim_head": 8,
    "heads": 2,
    "stft_hop_length": 441,
    "mask_estimator_depth": 2,
    "flash_attn": False,
}
"""As in the settings of Kimberley Jensen's network, but for dim, depth, dim_head and heads."""


def build_reference() -> MelBandRoformer:
    """Return a small network of the package ``melband-roformer-infer``."""
    torch.manual_seed(5)
    return MelBandRoformer(**SIZES).eval()


def encode_checkpoint(content: Mapping[str, Any]) -> bytes:
    """Return the file that ``torch.save`` writes."""
    stream = io.BytesIO()
    torch.save(dict(content), stream)
    return stream.getvalue()


def build_band_roformer() -> bytes:
    """Return the checkpoint of a small network."""
    return encode_checkpoint(build_reference().state_dict())
