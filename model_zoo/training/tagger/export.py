"""Writes trained weights in half precision, with the thresholds that suit them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch

from inference_service.checkpoint import load_network, read_metadata, save_network
from inference_service.tagger.notes.decoding import DECODING_KEY
from inference_service.tagger.notes.network import NoteNet
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
    metadata, partial = read_metadata(trained), target.with_suffix(".partial")
    save_network(load_network(trained, NoteNet), partial, metadata, torch.float16)
    network = load_network(partial, NoteNet)  # as it will serve
    heard = list(hear(network, draw_examples(symbolic, examples)))
    options = choose(heard, network.config.frame_rate_hz, say)
    metadata[DECODING_KEY] = json.dumps(asdict(options))
    save_network(network, target, metadata, torch.float16)
    partial.unlink()
