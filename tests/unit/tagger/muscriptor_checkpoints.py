"""Weights of MuScriptor in the published layout: small networks that write given tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from muscriptor.tokenizer.mt3 import MT3Tokenizer
from muscriptor.transcription_model import _build_model, _ModelConfig
from safetensors.torch import save

from inference_service.tagger.muscriptor import HEAD_WIDTH

TOKENS = MT3Tokenizer(instrument_vocabulary="MT3_FULL_PLUS", max_shift_steps=1001)
SIZES = _ModelConfig(dim=2 * HEAD_WIDTH, num_heads=2, num_layers=2, card=1393)

WRITTEN = (
    ("tie", 0),
    ("velocity", 1),
    ("program", 0),
    ("pitch", 60),
    ("pitch", 64),
    ("shift", 50),
    ("pitch", 67),
    ("program", 33),
    ("pitch", 36),
    ("shift", 100),
    ("program", 40),
    ("pitch", 72),
    ("drum", 38),
    ("EOS", 0),
)
"""A broken chord of a piano with a bass, a violin and a snare drum. Each token occurs once."""


def build_muscriptor(written: Sequence[tuple[str, int]] = WRITTEN) -> bytes:
    """Return weights of a network that writes the tokens, whatever it hears.

    Random, but for the layers, which add nothing to a token's embedding, and for the output, where
    each token of ``written`` is what follows the one before it.
    """
    torch.manual_seed(7)
    network = _build_model(torch.device("cpu"), SIZES)
    numbers = {(event.type, event.value): n for n, event in enumerate(TOKENS._vocab)}
    path = [network.initial_token_id, *(numbers[token] for token in written)]
    with torch.no_grad():
        network.emb.weight.normal_(std=30.0)  # positions are of the order of 1
        for layer in network.transformer.layers:
            layer.self_attn.out_proj.weight.zero_()
            layer.linear2.weight.zero_()
        for before, after in pairwise(path):
            network.linear.weight[after] = network.emb.weight[before]
    return save({name: value.contiguous() for name, value in network.state_dict().items()})
