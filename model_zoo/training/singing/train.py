"""Learns to cut singing into notes: a time budget, from where the last run stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.checkpoint import save_network
from inference_service.tagger.singing.decoding import DecodingOptions
from inference_service.tagger.singing.network import Logits, SingingNet, SingingNetConfig
from model_zoo.training.run import Run, cosine
from model_zoo.training.singing.dataset import Batch, Melody, draw_batch, load_melodies
from model_zoo.training.singing.dev import measure, predict

MEAN_DECAY: Final = 0.995
WARM_UP_STEPS: Final = 100
WEIGHTS: Final = {"onset": 10.0, "sounding": 1.0, "bend": 1.0}
"""Of the losses: few frames hold an onset."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train; ``minutes`` are those of this and all earlier runs that this one goes on
    from."""

    minutes: float
    batch: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    seed: int = 0
    device: str = "cpu"
    report_every_s: float = 240.0


def losses(logits: Logits, batch: Batch) -> dict[str, Tensor]:
    """Return the losses of a batch: scalars by head."""
    bend = F.smooth_l1_loss(logits.bend, batch.bend, reduction="none", beta=0.1) * batch.bent
    return {
        "onset": F.binary_cross_entropy_with_logits(logits.onset, batch.onset),
        "sounding": F.binary_cross_entropy_with_logits(logits.sounding, batch.sounding),
        "bend": bend.sum() / batch.bent.sum().clamp(min=1.0),
    }


def train(
    cache: Path,
    folder: Path,
    options: TrainOptions,
    say: Callable[[str], None],
    config: SingingNetConfig | None = None,
) -> SingingNet:
    """Train for the minutes that are left; return the mean network.

    Writes ``checkpoint.safetensors``, ``state.json``, ``log.jsonl`` and ``singing.safetensors``
    into the folder.

    Raises
    ------
    FileNotFoundError
        If nothing has been prepared.
    """
    torch.manual_seed(options.seed)
    melodies, dev = load_melodies(cache / "train"), load_melodies(cache / "dev")
    hours = round(sum(melody.duration_s for melody in melodies) / 3600, 2)
    network = SingingNet(config or SingingNetConfig()).to(options.device)
    optimiser = torch.optim.AdamW(
        network.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    exported = folder / "singing.safetensors"
    run = Run(folder, network, optimiser, exported)
    progress = run.progress
    random = np.random.default_rng(options.seed + progress.step)
    running: dict[str, list[float]] = {}

    def keep() -> None:
        run.report(running, _measure(run.mean, dev), say, hours=hours)
        running.clear()
        run.save()
        save_network(run.mean, exported, {"steps": str(progress.step)})

    budget_s = options.minutes * 60
    before_s, began = progress.spent_s, time.monotonic()
    reported = began
    while progress.spent_s < budget_s:
        done = progress.spent_s / budget_s
        run.set_rate(options.learning_rate * cosine(progress.step, done, WARM_UP_STEPS))
        batch = _to(draw_batch(melodies, options.batch, random), options.device)
        network.train()
        parts = losses(network(batch.spectrogram, batch.contour), batch)
        optimiser.zero_grad()
        torch.autograd.backward(
            torch.stack([WEIGHTS[name] * loss for name, loss in parts.items()]).sum()
        )
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        run.follow(MEAN_DECAY)
        progress.spent_s = before_s + time.monotonic() - began
        for name, loss in parts.items():
            running.setdefault(name, []).append(loss.item())
        if time.monotonic() - reported > options.report_every_s:
            reported = time.monotonic()
            keep()
    keep()
    return run.mean


def _measure(network: SingingNet, dev: Sequence[Melody]) -> dict[str, float]:
    return measure(dev, [predict(network, melody) for melody in dev], DecodingOptions())


def _to(batch: Batch, device: str) -> Batch:
    return Batch(
        batch.spectrogram.to(device),
        batch.contour.to(device),
        batch.onset.to(device),
        batch.sounding.to(device),
        batch.bend.to(device),
        batch.bent.to(device),
    )
