"""Training of the network that reads written rhythm from performed notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional

from inference_service.rhythm.from_notes.score_network import (
    Logits,
    ScoreNetwork,
    ScoreNetworkConfig,
)
from model_zoo.training.loop import Options, cosine, learn
from model_zoo.training.rhythm.corpora import Pieces, split_pieces
from model_zoo.training.rhythm.dataset import IGNORED, Batch, draw_batch

WEIGHTS: Final = {
    "place": 1.0,
    "interval": 1.0,
    "tempo": 0.4,
    "beat": 0.5,
    "downbeat": 0.6,
    "metre": 0.3,
    "fifths": 0.3,
    "length": 0.8,
    "hand": 0.4,
    "extra": 0.5,
}
"""Weights of the heads' losses in their sum."""

LENGTH_ATTACKS: Final = 192
OPTIONS: Final = Options(
    minutes=90.0,
    batch=24,
    learning_rate=2e-3,
    schedule=partial(cosine, floor=0.02),
    warm_up_steps=200,
    average_decay=0.998,
    report_every_s=60.0,
)

_BINARY: Final = frozenset({"beat", "downbeat", "hand", "extra"})
_DEV_BATCHES: Final = 12
_DEV_BATCH: Final = 16
_DEV_SEED: Final = 20_000_000


def losses(logits: Logits, targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the mean loss of each head over its known targets; no head without any."""
    found = {}
    for head in fields(logits):
        name, values = head.name, getattr(logits, head.name)
        target = targets[name].to(values.device)
        if name == "tempo":
            known = target.sum(1) > 0
            found[name] = functional.cross_entropy(values[known], target[known])
        elif name in _BINARY:
            known = target != IGNORED
            found[name] = functional.binary_cross_entropy_with_logits(
                values[known], target[known].float()
            )
        else:
            found[name] = functional.cross_entropy(
                values, target, ignore_index=IGNORED, label_smoothing=0.02
            )
    return {name: loss for name, loss in found.items() if torch.isfinite(loss)}


def accuracies(logits: Logits, targets: dict[str, Tensor]) -> dict[str, float]:
    """Return the share of right answers of each head over its known targets."""
    found = {}
    for head in fields(logits):
        name, values = head.name, getattr(logits, head.name).cpu()
        target = targets[name]
        if name == "tempo":
            known = target.sum(1) > 0
            right = (values.argmax(1) - target.argmax(1)).abs() <= 1
        else:
            known = target != IGNORED
            right = ((values > 0) if name in _BINARY else values.argmax(1)) == target
        found[name] = right[known].float().mean().item()
    return found


def train_notes(
    pieces: Pieces,
    folder: Path,
    options: Options,
    say: Callable[[str], None],
    config: ScoreNetworkConfig | None = None,
    length: int = LENGTH_ATTACKS,
) -> ScoreNetwork:
    """Train on performances of written pieces until the time is spent; return the average.

    Writes ``rhythm.safetensors`` into the folder, beside the files of
    :mod:`model_zoo.training.loop`.
    """
    torch.manual_seed(options.seed)
    learnt, held_out = split_pieces(pieces)
    random = np.random.default_rng(_DEV_SEED)
    dev = [draw_batch(held_out, random, _DEV_BATCH, length) for _ in range(_DEV_BATCHES)]
    network = ScoreNetwork(config)

    def compute_losses(random: Generator) -> Mapping[str, Tensor]:
        batch = draw_batch(learnt, random, options.batch, length)
        return losses(_forward(network, batch, options.device), batch.targets)

    def evaluate(average: ScoreNetwork) -> Mapping[str, float]:
        with torch.inference_mode():
            outputs = [_forward(average, batch, options.device) for batch in dev]
        found = [accuracies(own, batch.targets) for own, batch in zip(outputs, dev, strict=True)]
        return {name: sum(f[name] for f in found) / len(found) for name in found[0]}

    return learn(
        network,
        folder / "rhythm.safetensors",
        options,
        compute_losses,
        evaluate,
        say,
        loss_weights=WEIGHTS,
    )


def _forward(network: ScoreNetwork, batch: Batch, device: str) -> Logits:
    logits: Logits = network(
        batch.attacks.to(device), batch.notes.to(device), batch.index.to(device)
    )
    return logits
