"""Learns to tag notes: a time budget, any device, from where the last run stopped.

On a GPU everything runs in bfloat16 and compiled; on a CPU in bfloat16 where it has
instructions for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from inference_service.checkpoint import save_network
from inference_service.tagger.notes.network import Logits, NoteNet, NoteNetConfig
from model_zoo.training.beats.prepare import load_corpora
from model_zoo.training.run import Run, plateau
from model_zoo.training.tagger.dataset import (
    ExampleOptions,
    iterate_examples,
    make_example,
    render_take,
)
from model_zoo.training.tagger.dev import in_bfloat16, measure
from model_zoo.training.tagger.losses import losses, total
from model_zoo.training.tagger.take import Take
from model_zoo.training.tagger.targets import draw_targets

MEAN_DECAY: Final = 0.998
WARM_UP_STEPS: Final = 60
DEV_SEED: Final = 10_000_000
DEV_EXAMPLES: Final = 40


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train.

    Attributes
    ----------
    minutes : float
        Of this and all earlier runs that this one goes on from.
    batch : int
    workers : int
        Processes that render.
    learning_rate, weight_decay : float
    seed : int
    device : str
    compiled : bool
        Whether to compile the network; pays on GPUs.
    report_every_s : float
    examples : ExampleOptions
    """

    minutes: float
    batch: int = 4
    workers: int = 1
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    seed: int = 0
    device: str = "cpu"
    compiled: bool = False
    report_every_s: float = 300.0
    examples: ExampleOptions = field(default_factory=ExampleOptions)


def train(
    symbolic: Path,
    folder: Path,
    options: TrainOptions,
    say: Callable[[str], None],
    config: NoteNetConfig | None = None,
) -> NoteNet:
    """Train for the minutes that are left; return the mean network.

    Writes ``checkpoint.safetensors``, ``state.json``, ``log.jsonl`` and ``tagger.safetensors``
    into the folder.
    """
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    network: NoteNet = NoteNet(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        _groups(network, options.weight_decay), options.learning_rate, betas=(0.9, 0.98)
    )
    exported = folder / "tagger.safetensors"
    run = Run(folder, network, optimiser, exported)
    progress = run.progress
    dev = make_dev_examples(symbolic, options.examples)
    heard = torch.compile(network) if options.compiled else network
    examples = iterate_examples(
        symbolic, options.seed + 1000 * progress.runs, options.workers, options.examples
    )
    running: dict[str, list[float]] = {}

    def keep() -> None:
        heard_h = round(progress.heard_s / 3600, 2)
        run.report(running, measure(run.mean, dev, device), say, heard_h=heard_h)
        running.clear()
        run.save()
        notes = {"steps": str(progress.step), "heard_h": f"{heard_h:.1f}"}
        save_network(run.mean, exported, notes)

    budget_s = options.minutes * 60
    before_s, began = progress.spent_s, time.monotonic()
    reported = began
    while progress.spent_s < budget_s:
        done = progress.spent_s / budget_s
        run.set_rate(options.learning_rate * plateau(progress.step, done, WARM_UP_STEPS))
        takes = [next(examples) for _ in range(options.batch)]
        parts = _compute_losses(heard, network, takes, device)
        optimiser.zero_grad()
        torch.autograd.backward(total(parts))
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        run.follow(MEAN_DECAY)
        progress.heard_s += options.batch * options.examples.length_s
        progress.spent_s = before_s + time.monotonic() - began
        for name, loss in parts.items():
            running.setdefault(name, []).append(loss.item())
        if time.monotonic() - reported > options.report_every_s:
            reported = time.monotonic()
            keep()
    keep()
    return run.mean


def make_dev_examples(symbolic: Path, options: ExampleOptions) -> list[Take]:
    """Return examples from music that training never draws, the same ones for the same options."""
    random = np.random.default_rng(DEV_SEED)
    corpora = load_corpora(symbolic, dev=True)
    return [
        make_example(render_take(corpora, random), random, options) for _ in range(DEV_EXAMPLES)
    ]


def _compute_losses(
    run: Callable[[Tensor], Logits], network: NoteNet, takes: Sequence[Take], device: torch.device
) -> dict[str, Tensor]:
    network.train()
    samples = torch.from_numpy(np.stack([take.samples for take in takes])).to(device)
    with in_bfloat16(device):
        logits = run(samples)
    rate_hz = network.config.frame_rate_hz
    targets = draw_targets(takes, logits.onset.shape[1], rate_hz).to(str(device))
    return losses(logits, targets)


def _groups(network: NoteNet, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices and kernels decay; biases and scales do not."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
