"""Weights for the repository: what training left, at half the size, with its own thresholds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from safetensors.torch import load_file, save_file
from torch import Tensor

from inference_service.tagger.notes.decoding import DECODING_KEY
from inference_service.tagger.notes.network import load_network, read_notes
from model_zoo.training.tagger.thresholds import choose, draw_examples, hear

EXAMPLES: Final = 160


def export(
    trained: Path,
    target: Path,
    symbolic: Path,
    say: Callable[[str], None],
    examples: int = EXAMPLES,
) -> None:
    """Write float16 weights, and the thresholds that serve them best on rendered music.

    Raises
    ------
    FileNotFoundError
        If the weights or the corpora are not there.
    """
    tensors, notes = load_file(trained), read_notes(trained)
    partial = target.with_suffix(".partial")
    save_halves(tensors, partial, notes)
    network = load_network(partial)
    heard = list(hear(network, draw_examples(symbolic, examples)))
    options = choose(heard, network.config.frame_rate_hz, say)
    save_halves(tensors, target, {**notes, DECODING_KEY: json.dumps(asdict(options))})
    partial.unlink()


def save_halves(tensors: Mapping[str, Tensor], target: Path, notes: dict[str, str]) -> None:
    """Write float16 weights with notes, whole or not at all."""
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    writing = target.with_suffix(".writing")
    save_file(halves, writing, notes)
    writing.rename(target)
