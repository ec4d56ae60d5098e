"""The training loop of every network: a time budget, a schedule, an average, checkpoints, a log.

A training is a network, a function that draws a batch and returns its losses, and a function that
evaluates a network on data held out. :func:`learn` takes steps until the minutes are spent, those
of earlier runs included. Every few minutes and at the end it evaluates, logs and saves. What is
evaluated and served is the exponential moving average of the network's states.

The folder of a training holds

``checkpoint.safetensors``
    network, average and the optimiser's moments, with the progress in the metadata; a run resumes
    from here. Nothing is pickled.
``NAME.safetensors``
    the average alone, as :mod:`inference_service.checkpoint` loads it. Where there is no
    checkpoint, a run starts from these weights.
``log.jsonl``
    a line for each report.

The randomness of a step, torch's included, is seeded with the run's seed and the step's number.
Therefore a run that was interrupted and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np
import torch
from numpy.random import Generator
from safetensors.torch import load_file
from torch import Tensor, nn

from inference_service.checkpoint import (
    Network,
    describe,
    load_state,
    load_weights,
    read_metadata,
    save_network,
    save_tensors,
)

N = TypeVar("N", bound=Network)
B = TypeVar("B")

Schedule = Callable[[float], float]
"""From the share of the time that is spent to a factor of the learning rate."""

CHECKPOINT: Final = "checkpoint.safetensors"
PROGRESS_KEY: Final = "progress"
MAX_GRADIENT_NORM: Final = 1.0
YOUNG_STEPS: Final = 5
"""In its first steps the average forgets faster: its decay is at most ``step / (step + 5)``."""


def cosine(done: float, floor: float = 0.01) -> float:
    """Half a period of a cosine, from 1 down to ``floor``."""
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def plateau(done: float) -> float:
    """A plateau at 1, then a straight descent over the last 40 % of the time."""
    return min(1.0, max((1.0 - done) / 0.4, 0.01))


def linear(done: float) -> float:
    """A straight descent to 2 %."""
    return max(1.02 - done, 0.02)


@dataclass(frozen=True, slots=True)
class Options:
    """How to train; each training has its own defaults.

    Attributes
    ----------
    minutes : float
        Total training minutes, including the runs being resumed.
    batch : int
        Examples in a step.
    learning_rate : float
        At its highest.
    schedule : callable
    warm_up_steps : int
        Steps over which the rate rises from 0.
    average_decay : float
        Weight of the old average in the new one.
    report_every_s : float
        Seconds between evaluations, which also save.
    weight_decay : float
    betas : tuple of float
        AdamW's.
    seed : int
    device : str
    clock : callable
        Returns seconds; replaced in tests.
    """

    minutes: float
    batch: int
    learning_rate: float
    schedule: Schedule
    warm_up_steps: int
    average_decay: float
    report_every_s: float
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    seed: int = 0
    device: str = "cpu"
    clock: Callable[[], float] = time.monotonic


def add_arguments(parser: argparse.ArgumentParser, options: Options) -> None:
    """Add the command line's arguments for a training, with its defaults."""
    device = "cuda" if torch.cuda.is_available() else options.device
    parser.add_argument(
        "--minutes",
        type=float,
        default=options.minutes,
        help="total training minutes, including earlier runs",
    )
    parser.add_argument("--batch", type=int, default=options.batch)
    parser.add_argument("--rate", type=float, default=options.learning_rate)
    parser.add_argument("--seed", type=int, default=options.seed)
    parser.add_argument(
        "--report", type=float, default=options.report_every_s, help="seconds between reports"
    )
    parser.add_argument("--device", default=device)


def read_arguments(arguments: argparse.Namespace, options: Options) -> Options:
    """Return the options with what the command line says."""
    return replace(
        options,
        minutes=arguments.minutes,
        batch=arguments.batch,
        learning_rate=arguments.rate,
        seed=arguments.seed,
        report_every_s=arguments.report,
        device=arguments.device,
    )


@dataclass(slots=True)
class TrainingProgress:
    """How far a training has come, over all its runs.

    Attributes
    ----------
    step : int
    spent_s : float
        Seconds of training.
    examples : int
        Examples that were learnt from.
    """

    step: int = 0
    spent_s: float = 0.0
    examples: int = 0


def load_progress(folder: Path) -> TrainingProgress:
    """Return the progress of the checkpoint in a folder; none where there is no checkpoint."""
    path = folder / CHECKPOINT
    return (
        TrainingProgress(**json.loads(read_metadata(path)[PROGRESS_KEY]))
        if path.exists()
        else TrainingProgress()
    )


def count_nothing(progress: TrainingProgress) -> dict[str, float]:
    """Return no figures."""
    return {}


def learn(
    network: N,
    weights: Path,
    options: Options,
    compute_losses: Callable[[Generator], Mapping[str, Tensor]],
    evaluate: Callable[[N], Mapping[str, float]],
    say: Callable[[str], None],
    *,
    loss_weights: Mapping[str, float] | None = None,
    figures: Callable[[TrainingProgress], Mapping[str, float]] = count_nothing,
    parameters: Iterable[Any] | None = None,
) -> N:
    """Train a network until its time is spent; return the average.

    Parameters
    ----------
    network : Network
        Trained in place.
    weights : Path
        The file for the average; the folder around it is the training's.
    options : Options
    compute_losses : callable
        Draws a batch with the generator given, and returns scalars by name.
    evaluate : callable
        Returns figures of the average on held-out data; it may change the average's buffers.
    say : callable
        Called with each line of the log.
    loss_weights : mapping, optional
        Factors of the losses in their sum; 1 if left out.
    figures : callable
        Returns further figures for the log and the metadata, beside steps and minutes.
    parameters : iterable, optional
        Parameter groups for AdamW; all parameters alike if left out.

    Raises
    ------
    ModelRejected
        If the folder's checkpoint or weights are another network's.
    """
    network.to(options.device)
    run = Run(network, weights, options, parameters)
    progress, clock = run.progress, options.clock
    course: dict[str, list[float]] = {}

    def keep() -> None:
        found = dict(evaluate(run.average))
        run.save({**figures(progress)}, course, found, say)
        course.clear()

    budget_s = 60 * options.minutes
    reported_s = clock()
    began_s = reported_s - progress.spent_s
    while progress.spent_s < budget_s:
        random = np.random.default_rng((options.seed, progress.step))
        torch.manual_seed(int(random.integers(2**32)))
        network.train()
        losses = compute_losses(random)
        run.step(losses, loss_weights or {}, options.schedule(progress.spent_s / budget_s))
        for name, loss in losses.items():
            course.setdefault(name, []).append(loss.item())
        now_s = clock()
        progress.spent_s = now_s - began_s
        if now_s - reported_s > options.report_every_s:
            reported_s = now_s
            keep()
    keep()
    return run.average


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take a step down a loss, with gradients clipped to :data:`MAX_GRADIENT_NORM`."""
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
    optimiser.step()


def to_device(batch: B, device: str) -> B:
    """Return a dataclass of tensors with each of them on a device."""
    moved = {f.name: getattr(batch, f.name).to(device) for f in fields(batch)}  # type: ignore[arg-type]
    return replace(batch, **moved)  # type: ignore[type-var]


class Run(Generic[N]):
    """A network with its average, its optimiser and its files; resumes where there is a checkpoint.

    Parameters are those of :func:`learn`.
    """

    def __init__(
        self, network: N, weights: Path, options: Options, parameters: Iterable[Any] | None = None
    ) -> None:
        self.network = network
        self.average: N = copy.deepcopy(network).eval().requires_grad_(False)
        self.progress = load_progress(weights.parent)
        self._weights = weights
        self._checkpoint = weights.parent / CHECKPOINT
        self._options = options
        self._optimiser = torch.optim.AdamW(
            network.parameters() if parameters is None else parameters,
            options.learning_rate,
            options.betas,
            weight_decay=options.weight_decay,
        )
        weights.parent.mkdir(parents=True, exist_ok=True)
        if self._checkpoint.exists():
            self._resume()
        elif weights.exists():
            load_weights(self.network, weights)
            load_weights(self.average, weights)

    def step(
        self, losses: Mapping[str, Tensor], weights: Mapping[str, float], factor: float
    ) -> None:
        """Learn from the losses of a batch, and let the average follow."""
        options, step = self._options, self.progress.step
        warm = min(1.0, (step + 1) / options.warm_up_steps)
        for group in self._optimiser.param_groups:
            group["lr"] = options.learning_rate * warm * factor
        parts = [weights.get(name, 1.0) * loss for name, loss in losses.items()]
        descend(self._optimiser, torch.stack(parts).sum())
        decay = min(options.average_decay, step / (step + YOUNG_STEPS))
        average = self.average.state_dict()
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1.0 - decay)
                else:
                    average[name].copy_(value)
        self.progress.step += 1
        self.progress.examples += options.batch

    def save(
        self,
        figures: Mapping[str, float],
        course: Mapping[str, list[float]],
        dev: Mapping[str, float],
        say: Callable[[str], None],
    ) -> None:
        """Write a line to the log, the checkpoint and the weights; say the line."""
        minutes = round(self.progress.spent_s / 60, 1)
        line = json.dumps(
            {
                "step": self.progress.step,
                "minutes": minutes,
                **figures,
                "loss": {name: round(float(np.mean(values)), 4) for name, values in course.items()},
                "dev": {name: round(value, 4) for name, value in dev.items()},
            }
        )
        with (self._weights.parent / "log.jsonl").open("a") as log:
            log.write(line + "\n")
        self._save_checkpoint()
        metadata = {"steps": self.progress.step, "minutes": minutes, **figures}
        save_network(self.average, self._weights, {n: f"{v:g}" for n, v in metadata.items()})
        say(line)

    def _save_checkpoint(self) -> None:
        tensors = {f"network.{name}": t for name, t in self.network.state_dict().items()}
        tensors |= {f"average.{name}": t for name, t in self.average.state_dict().items()}
        for index, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        progress = {PROGRESS_KEY: json.dumps(asdict(self.progress))}
        save_tensors(tensors, self._checkpoint, describe(self.network) | progress)

    def _resume(self) -> None:
        metadata, tensors = read_metadata(self._checkpoint), load_file(self._checkpoint)
        for part, prefix in ((self.network, "network."), (self.average, "average.")):
            load_state(part, _strip(tensors, prefix), metadata, self._checkpoint)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _strip(tensors, "optimiser.").items():
            index, moment = name.split(".")
            moments.setdefault(int(index), {})[moment] = value
        self._optimiser.load_state_dict({**self._optimiser.state_dict(), "state": moments})


def _strip(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
