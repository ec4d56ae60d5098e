"""The training loop: a time budget, checkpoints to go on from, a log, and the exported weights."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from inference_service.checkpoint import load_weights, save_network
from inference_service.rhythm.from_notes.score_network import Logits, ScoreNetwork
from model_zoo.training.rhythm.dataset import IGNORED, Batch, draw_batches, is_dev
from model_zoo.training.sources.scores import WrittenPiece

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
"""What each head's loss counts for."""

_BINARY: Final = frozenset({"beat", "downbeat", "hand", "extra"})
_DEV_BATCHES: Final = 12
_DEV_SEED: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to learn: a warm-up, then a cosine over ``minutes``."""

    minutes: float
    batch: int = 24
    length: int = 192
    rate: float = 2e-3
    warm_up: int = 200
    log_every_s: float = 60.0
    save_every_s: float = 180.0


def losses(logits: Logits, targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return each head's mean loss over what is known."""
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
    """Return the share of right answers of each head."""
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


def train(
    pieces: dict[str, list[WrittenPiece]],
    folder: Path,
    schedule: Schedule,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> ScoreNetwork:
    """Train for the schedule's minutes, from the folder's checkpoint where there is one.

    Writes ``checkpoint.safetensors``, ``state.json`` and ``log.jsonl`` into the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = ScoreNetwork().to(device)
    step, spent_s = _resume(network, folder)
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=0.01)
    learnt = {k: [p for p in v if not is_dev(p)] for k, v in pieces.items()}
    kept = {k: [p for p in v if is_dev(p)] or v for k, v in pieces.items()}
    dev = list(islice(draw_batches(kept, _DEV_SEED, 16, schedule.length), _DEV_BATCHES))
    batches = draw_batches(learnt, seed + step, schedule.batch, schedule.length)
    budget_s = schedule.minutes * 60
    start_s = last_log_s = last_save_s = time.monotonic() - spent_s
    running: dict[str, float] = {}
    while (elapsed_s := time.monotonic() - start_s) < budget_s:
        warm = min(1.0, (step + 1) / schedule.warm_up)
        rate = schedule.rate * warm * (0.02 + 0.98 * _cosine(elapsed_s / budget_s))
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = next(batches)
        found = losses(_run(network, batch, device), batch.targets)
        loss = torch.stack([WEIGHTS[name] * value for name, value in found.items()]).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        for name, value in found.items():
            running[name] = 0.98 * running.get(name, value.item()) + 0.02 * value.item()
        now_s = time.monotonic()
        if now_s - last_log_s > schedule.log_every_s:
            last_log_s = now_s
            _log(folder, step, now_s - start_s, running, measure(network, dev, device))
        if now_s - last_save_s > schedule.save_every_s:
            last_save_s = now_s
            _save(network, folder, step, now_s - start_s)
    _save(network, folder, step, budget_s)
    return network


def measure(network: ScoreNetwork, batches: list[Batch], device: str) -> dict[str, float]:
    """Return the mean accuracies over batches."""
    network.eval()
    with torch.inference_mode():
        found = [accuracies(_run(network, b, device), b.targets) for b in batches]
    network.train()
    return {name: sum(f[name] for f in found) / len(found) for name in found[0]}


def _run(network: ScoreNetwork, batch: Batch, device: str) -> Logits:
    logits: Logits = network(
        batch.attacks.to(device), batch.notes.to(device), batch.index.to(device)
    )
    return logits


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _log(
    folder: Path, step: int, seconds: float, running: dict[str, float], dev: dict[str, float]
) -> None:
    line = {
        "step": step,
        "seconds": round(seconds),
        "loss": {k: round(v, 4) for k, v in running.items()},
        "dev": {k: round(v, 4) for k, v in dev.items()},
    }
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")


def _save(network: ScoreNetwork, folder: Path, step: int, seconds: float) -> None:
    save_network(network, folder / "checkpoint.safetensors")
    (folder / "state.json").write_text(json.dumps({"step": step, "seconds": seconds}))


def _resume(network: ScoreNetwork, folder: Path) -> tuple[int, float]:
    if not (folder / "checkpoint.safetensors").exists():
        return 0, 0.0
    load_weights(network, folder / "checkpoint.safetensors")
    state = json.loads((folder / "state.json").read_text())
    return int(state["step"]), float(state["seconds"])
