"""Learns beats: one process, any device, for a number of minutes; resumes where it stopped.

The loss forgives a frame's shift: a beat counts by the largest output within
:data:`TOLERANCE_FRAMES` of it, and the outputs next to it count for nothing (Foscarin, Schlüter
and Widmer, "Beat this! Accurate beat tracking without DBN postprocessing", ISMIR 2024). The
network that is kept is the exponential mean of the trained ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mir_eval
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import find_peaks
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.checkpoint import save_network
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.network import BeatNet, BeatNetConfig, Logits
from model_zoo.training.beats.dataset import Batch, Example, Pool
from model_zoo.training.run import Run, cosine
from model_zoo.training.sources.piece import UNKNOWN

TOLERANCE_FRAMES: Final = 1
BEAT_WEIGHT: Final = 3.0
DOWNBEAT_WEIGHT: Final = 5.0
COMPOUND_SHARE: Final = 0.1
WARM_UP_STEPS: Final = 100
MEAN_DECAY: Final = 0.995
REPORT_EVERY_S: Final = 240.0


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train."""

    minutes: float
    batch: int = 6
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    seed: int = 0
    device: str = "cpu"


def beat_loss(logits: Logits, batch: Batch) -> Tensor:
    """Return the loss of a batch: a scalar."""
    loss = shift_tolerant_loss(logits.beat, batch.beat, batch.valid, BEAT_WEIGHT)
    loss = loss + shift_tolerant_loss(logits.downbeat, batch.downbeat, batch.valid, DOWNBEAT_WEIGHT)
    known = batch.compound != UNKNOWN
    if known.any():
        target = batch.compound[known, None].float().expand(-1, logits.compound.shape[1])
        loss = loss + COMPOUND_SHARE * F.binary_cross_entropy_with_logits(
            logits.compound[known], target
        )
    return loss


def shift_tolerant_loss(logits: Tensor, targets: Tensor, valid: Tensor, weight: float) -> Tensor:
    """Return the mean cross-entropy over the frames that count.

    Parameters
    ----------
    logits, targets, valid : torch.Tensor, shape (B, T)
    weight : float
        Of a frame with a target against one without.
    """
    near = _spread(logits, TOLERANCE_FRAMES)
    around = _spread(targets, 2 * TOLERANCE_FRAMES)
    positive = weight * targets * F.softplus(-near)
    negative = (1.0 - around) * F.softplus(logits)
    counted = valid * (weight * targets + 1.0 - around)
    return ((positive + negative) * valid).sum() / counted.sum().clamp(min=1.0)


def _spread(values: Tensor, frames: int) -> Tensor:
    return F.max_pool1d(values.unsqueeze(1), 2 * frames + 1, 1, frames).squeeze(1)


def train(
    cache: Path,
    target: Path,
    options: TrainOptions,
    say: Callable[[str], None],
    config: BeatNetConfig | None = None,
) -> None:
    """Train for the minutes that are left, and write the weights.

    Writes ``checkpoint.safetensors``, ``state.json`` and ``log.jsonl`` into the cache.

    Raises
    ------
    FileNotFoundError
        If nothing has been prepared.
    """
    torch.manual_seed(options.seed)
    pool, dev = Pool(cache / "train"), Pool(cache / "dev")
    pool.refresh()
    dev.refresh()
    if not pool.examples:
        raise FileNotFoundError(f"nothing prepared in {cache}")
    network = BeatNet(config or BeatNetConfig()).to(options.device)
    optimiser = torch.optim.AdamW(
        network.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    run = Run(cache, network, optimiser)
    progress = run.progress
    random = np.random.default_rng(options.seed + progress.step)
    running: dict[str, list[float]] = {}

    def keep() -> None:
        hours = round(pool.hours, 1)
        run.report(running, evaluate(run.mean, dev.examples), say, hours=hours)
        running.clear()
        run.save()
        spent = f"{progress.spent_s / 60:g}"
        save_network(
            run.mean,
            target,
            {"steps": str(progress.step), "hours": f"{hours}", "minutes": spent},
        )

    budget_s = options.minutes * 60
    before_s, began = progress.spent_s, time.monotonic()
    reported = began
    while progress.spent_s < budget_s:
        done = progress.spent_s / budget_s
        run.set_rate(options.learning_rate * cosine(progress.step, done, WARM_UP_STEPS))
        batch = _to(pool.draw_batch(options.batch, random), options.device)
        network.train()
        loss = beat_loss(network(batch.features), batch)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        run.follow(MEAN_DECAY)
        progress.spent_s = before_s + time.monotonic() - began
        running.setdefault("all", []).append(loss.item())
        if time.monotonic() - reported > REPORT_EVERY_S:
            reported = time.monotonic()
            pool.refresh()
            keep()
    keep()


def evaluate(network: BeatNet, examples: Sequence[Example]) -> dict[str, float]:
    """Return the loss, and the F1 of beats and downbeats by plain peak picking."""
    device = next(network.parameters()).device
    figures: dict[str, list[float]] = {"loss": [], "beat": [], "downbeat": [], "compound": []}
    for example in examples:
        features = torch.from_numpy(example.features.astype(np.float32))[None].to(device)
        frames = np.rint(example.beats).astype(int)
        kept = frames < features.shape[-1]
        beat = torch.zeros(1, features.shape[-1], device=device)
        downbeat = torch.zeros_like(beat)
        beat[0, frames[kept]] = 1.0
        downbeat[0, frames[kept & (example.positions == 1)]] = 1.0
        compound = torch.tensor([example.compound], device=device)
        with torch.inference_mode():
            logits = network(features)
        batch = Batch(features, beat, downbeat, torch.ones_like(beat), compound)
        figures["loss"].append(float(beat_loss(logits, batch)))
        truth = {"beat": example.beats, "downbeat": example.beats[example.positions == 1]}
        for name, times in truth.items():
            found = _pick(getattr(logits, name)[0].cpu().numpy())
            figures[name].append(mir_eval.beat.f_measure(times / FRAMES_PER_S, found))
        if example.compound != UNKNOWN:
            told = float(logits.compound.mean()) > 0
            figures["compound"].append(float(told == bool(example.compound)))
    return {name: float(np.mean(values)) for name, values in figures.items() if values}


def _pick(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    peaks, _ = find_peaks(logits, height=0.0, distance=8)
    return np.asarray(peaks / FRAMES_PER_S, np.float64)


def _to(batch: Batch, device: str) -> Batch:
    return Batch(
        batch.features.to(device),
        batch.beat.to(device),
        batch.downbeat.to(device),
        batch.valid.to(device),
        batch.compound.to(device),
    )
