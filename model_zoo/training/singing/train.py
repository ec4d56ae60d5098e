"""Learns to cut singing into notes: a time budget, from where the last run stopped.

The network that is kept is the exponential mean of the trained ones. A checkpoint holds the
network, its mean and the optimiser's state as tensors, and a JSON file beside it the rest: nothing
is pickled.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.tagger.singing_decoding import DecodingOptions
from inference_service.tagger.singing_network import (
    Logits,
    SingingNet,
    SingingNetConfig,
    save_network,
)
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
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    melodies, dev = load_melodies(cache / "train"), load_melodies(cache / "dev")
    hours = sum(melody.duration_s for melody in melodies) / 3600
    network = SingingNet(config or SingingNetConfig()).to(options.device)
    mean = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(
        network.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    step, spent_s = _resume(folder, network, mean, optimiser)
    random = np.random.default_rng(options.seed + step)
    budget_s = options.minutes * 60
    began = reported = time.monotonic()
    running: list[list[float]] = []
    while (elapsed_s := spent_s + time.monotonic() - began) < budget_s:
        for group in optimiser.param_groups:
            group["lr"] = _schedule(options.learning_rate, step, elapsed_s / budget_s)
        batch = _to(draw_batch(melodies, options.batch, random), options.device)
        network.train()
        parts = losses(network(batch.spectrogram, batch.contour), batch)
        optimiser.zero_grad()
        torch.autograd.backward(
            torch.stack([WEIGHTS[name] * loss for name, loss in parts.items()]).sum()
        )
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        _follow(mean, network, min(MEAN_DECAY, step / (step + 10)))
        running.append([loss.item() for loss in parts.values()])
        step += 1
        if time.monotonic() - reported > options.report_every_s:
            reported = time.monotonic()
            _report(folder, step, elapsed_s, hours, running, _measure(mean, dev), say)
            running.clear()
            _save(folder, network, mean, optimiser, step, elapsed_s)
    _report(folder, step, elapsed_s, hours, running, _measure(mean, dev), say)
    _save(folder, network, mean, optimiser, step, elapsed_s)
    return mean


def _measure(network: SingingNet, dev: Sequence[Melody]) -> dict[str, float]:
    return measure(dev, [predict(network, melody) for melody in dev], DecodingOptions())


def _schedule(highest: float, step: int, done: float) -> float:
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return highest * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0))))


def _follow(mean: SingingNet, network: SingingNet, decay: float) -> None:
    with torch.no_grad():
        held = mean.state_dict()
        for name, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                held[name].lerp_(value, 1.0 - decay)
            else:
                held[name].copy_(value)


def _to(batch: Batch, device: str) -> Batch:
    return Batch(
        batch.spectrogram.to(device),
        batch.contour.to(device),
        batch.onset.to(device),
        batch.sounding.to(device),
        batch.bend.to(device),
        batch.bent.to(device),
    )


def _report(
    folder: Path,
    step: int,
    elapsed_s: float,
    hours: float,
    running: Sequence[Sequence[float]],
    dev: Mapping[str, float],
    say: Callable[[str], None],
) -> None:
    means = np.mean(running, axis=0) if len(running) else np.full(len(WEIGHTS), np.nan)
    line = {
        "step": step,
        "minutes": round(elapsed_s / 60, 1),
        "hours": round(hours, 2),
        "loss": {name: round(float(value), 4) for name, value in zip(WEIGHTS, means, strict=True)},
        "dev": {name: round(value, 4) for name, value in dev.items()},
    }
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    say(json.dumps(line))


def _save(
    folder: Path,
    network: SingingNet,
    mean: SingingNet,
    optimiser: torch.optim.Optimizer,
    step: int,
    spent_s: float,
) -> None:
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"mean.{name}": value for name, value in mean.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
    partial = folder / "checkpoint.partial"
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial)
    partial.rename(folder / "checkpoint.safetensors")
    (folder / "state.json").write_text(json.dumps({"step": step, "spent_s": spent_s}))
    save_network(mean, folder / "singing.safetensors", {"steps": str(step)})


def _resume(
    folder: Path, network: SingingNet, mean: SingingNet, optimiser: torch.optim.Optimizer
) -> tuple[int, float]:
    """Go on from the folder's checkpoint, if there is one; return steps and seconds behind it."""
    if not (folder / "checkpoint.safetensors").exists():
        return 0, 0.0
    tensors = load_file(folder / "checkpoint.safetensors")
    for part, prefix in ((network, "network."), (mean, "mean.")):
        part.load_state_dict(_strip(tensors, prefix))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _strip(tensors, "optimiser.").items():
        index, moment = name.split(".")
        moments.setdefault(int(index), {})[moment] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    kept = json.loads((folder / "state.json").read_text())
    return kept["step"], kept["spent_s"]


def _strip(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
