"""Learns to tag notes: a time budget, any device, from where the last run stopped.

The network that is kept is the exponential mean of the trained ones. A checkpoint holds the
network, its mean and the optimiser's state as tensors, and a JSON file beside it the rest: nothing
is pickled. On a GPU everything runs in bfloat16 and compiled; on a CPU in bfloat16 where it has
instructions for it.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inference_service.tagger.model import (
    Logits,
    NoteNet,
    NoteNetConfig,
    learnt_tensors,
    save_network,
)
from model_zoo.training.beats.prepare import load_corpora
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
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    network = NoteNet(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean: NoteNet = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(
        _groups(network, options.weight_decay), options.learning_rate, betas=(0.9, 0.98)
    )
    state = _resume(folder, network, mean, optimiser)
    dev = make_dev_examples(symbolic, options.examples)
    run = torch.compile(network) if options.compiled else network
    examples = iterate_examples(
        symbolic, options.seed + 1000 * state.runs, options.workers, options.examples
    )
    budget_s = options.minutes * 60
    began = reported = time.monotonic()
    running: dict[str, list[float]] = {}
    while (elapsed_s := state.spent_s + time.monotonic() - began) < budget_s:
        rate = options.learning_rate * _schedule(state.step, elapsed_s / budget_s)
        for group in optimiser.param_groups:
            group["lr"] = rate
        takes = [next(examples) for _ in range(options.batch)]
        parts = _compute_losses(run, network, takes, device)
        optimiser.zero_grad()
        torch.autograd.backward(total(parts))
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        _follow(mean, network, min(MEAN_DECAY, state.step / (state.step + 5)))
        state.step += 1
        state.heard_s += options.batch * options.examples.length_s
        for name, loss in parts.items():
            running.setdefault(name, []).append(loss.item())
        if time.monotonic() - reported > options.report_every_s:
            reported = time.monotonic()
            _report(folder, state, elapsed_s, running, measure(mean, dev, device), say)
            _save(folder, network, mean, optimiser, state, elapsed_s)
    _report(folder, state, budget_s, running, measure(mean, dev, device), say)
    _save(folder, network, mean, optimiser, state, budget_s)
    return mean


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


@dataclass(slots=True)
class _State:
    """How far training has come."""

    step: int = 0
    spent_s: float = 0.0
    heard_s: float = 0.0
    runs: int = 0


def _groups(network: NoteNet, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices and kernels decay; biases and scales do not."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _schedule(step: int, done: float) -> float:
    """A warm-up, then a plateau, then a straight descent over the last 40 % of the time."""
    return min(1.0, (step + 1) / WARM_UP_STEPS, max((1.0 - done) / 0.4, 0.01))


def _follow(mean: NoteNet, network: NoteNet, decay: float) -> None:
    with torch.no_grad():
        for kept, value in zip(mean.parameters(), network.parameters(), strict=True):
            kept.lerp_(value, 1.0 - decay)
        for held, running in zip(mean.buffers(), network.buffers(), strict=True):
            held.copy_(running)


def _report(
    folder: Path,
    state: _State,
    elapsed_s: float,
    running: dict[str, list[float]],
    dev: dict[str, float],
    say: Callable[[str], None],
) -> None:
    line = {
        "step": state.step,
        "minutes": round(elapsed_s / 60, 1),
        "heard_h": round(state.heard_s / 3600, 2),
        "loss": {name: round(float(np.mean(values)), 4) for name, values in running.items()},
        "dev": {name: round(value, 4) for name, value in dev.items()},
    }
    running.clear()
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    say(json.dumps(line))


def _save(
    folder: Path,
    network: NoteNet,
    mean: NoteNet,
    optimiser: torch.optim.Optimizer,
    state: _State,
    elapsed_s: float,
) -> None:
    tensors = {f"network.{name}": value for name, value in learnt_tensors(network).items()}
    tensors |= {f"mean.{name}": value for name, value in learnt_tensors(mean).items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
    partial = folder / "checkpoint.partial"
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial)
    partial.rename(folder / "checkpoint.safetensors")
    progress = {"step": state.step, "spent_s": elapsed_s, "heard_s": state.heard_s}
    (folder / "state.json").write_text(json.dumps({**progress, "runs": state.runs}))
    notes = {"steps": str(state.step), "heard_h": f"{state.heard_s / 3600:.1f}"}
    save_network(mean, folder / "tagger.safetensors", notes)


def _resume(
    folder: Path, network: NoteNet, mean: NoteNet, optimiser: torch.optim.Optimizer
) -> _State:
    """Go on from the folder's checkpoint, or from its exported weights alone; else begin."""
    checkpoint, exported = folder / "checkpoint.safetensors", folder / "tagger.safetensors"
    if not checkpoint.exists():
        if exported.exists():
            learnt = load_file(exported)
            network.load_state_dict(learnt, strict=False)
            mean.load_state_dict(learnt, strict=False)
        return _State()
    tensors = load_file(checkpoint)
    for part, prefix in ((network, "network."), (mean, "mean.")):
        part.load_state_dict(_strip(tensors, prefix), strict=False)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _strip(tensors, "optimiser.").items():
        index, moment = name.split(".")
        moments.setdefault(int(index), {})[moment] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    kept = json.loads((folder / "state.json").read_text())
    return _State(kept["step"], kept["spent_s"], kept["heard_s"], kept["runs"] + 1)


def _strip(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
