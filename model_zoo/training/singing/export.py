"""Writes trained weights in half precision, with the costs of notes that suit them.

The costs are chosen on held-out melodies by coordinate search, in two rounds, for the best mean of
the three F1 scores of :mod:`.dev`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from inference_service.checkpoint import load_network, read_metadata, save_network
from inference_service.tagger.singing.decoding import DecodingOptions, Outputs
from inference_service.tagger.singing.network import SingingNet
from inference_service.tagger.singing.tagger import DECODING_KEY
from model_zoo.training.singing.dataset import Melody
from model_zoo.training.singing.dev import FIGURES, measure, predict

CANDIDATES: Final[dict[str, tuple[float, ...]]] = {
    "entry": (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0),
    "renewal": (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0),
    "sounding": (
        -0.6,
        -0.3,
        0.0,
        0.3,
    ),  # with more, what a separator leaves of the band would become notes
    "min_note_s": (0.03, 0.05, 0.07, 0.09),
}
ROUNDS: Final = 2


def export(
    trained: Path, target: Path, melodies: Sequence[Melody], say: Callable[[str], None]
) -> None:
    """Write float16 weights with the costs that suit the melodies.

    Raises
    ------
    FileNotFoundError
        If there are no weights.
    """
    metadata, partial = read_metadata(trained), target.with_suffix(".partial")
    save_network(load_network(trained, SingingNet), partial, metadata, torch.float16)
    network = load_network(partial, SingingNet)  # as it will serve
    options = choose(melodies, [predict(network, melody) for melody in melodies], say)
    metadata[DECODING_KEY] = json.dumps(asdict(options))
    save_network(network, target, metadata, torch.float16)
    partial.unlink()


def choose(
    melodies: Sequence[Melody], heard: Sequence[Outputs], say: Callable[[str], None]
) -> DecodingOptions:
    """Return the best options that the :data:`CANDIDATES` offer."""
    options = DecodingOptions()
    for _ in range(ROUNDS):
        for name, values in CANDIDATES.items():
            tried = [replace(options, **{name: value}) for value in values]
            scores = [_rate(measure(melodies, heard, each)) for each in tried]
            options = tried[int(np.argmax(scores))]
            say(
                f"{name}: "
                + ", ".join(f"{v:g} {s:.4f}" for v, s in zip(values, scores, strict=True))
            )
    say(f"{options}: {measure(melodies, heard, options)}")
    return options


def _rate(figures: dict[str, float]) -> float:
    return float(np.mean([figures[name] for name in FIGURES]))
