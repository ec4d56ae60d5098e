"""A training run that stops and goes on: the network, its mean, its checkpoint, its log.

What is kept of a network is the exponential mean of all that it has been. A checkpoint holds the
network, the mean and the optimiser's state as tensors, and a JSON file beside it the rest: nothing
is pickled.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)

BEGINNING_STEPS: Final = 5
"""The mean forgets faster until it is some times older than this."""


@dataclass(slots=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    step : int
    spent_s, heard_s : float
        Seconds of work, and of sound.
    runs : int
        How often it was gone on with.
    """

    step: int = 0
    spent_s: float = 0.0
    heard_s: float = 0.0
    runs: int = 0


class Run(Generic[N]):
    """A network that learns, from its checkpoint in a folder on, if there is one.

    Parameters
    ----------
    folder : Path
        For ``checkpoint.safetensors``, ``state.json`` and ``log.jsonl``.
    network : nn.Module
        Holds what was learnt before, afterwards.
    optimiser : torch.optim.Optimizer
    exported : Path, optional
        Weights to begin with where there is no checkpoint.
    """

    def __init__(
        self,
        folder: Path,
        network: N,
        optimiser: torch.optim.Optimizer,
        exported: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.network = network
        self.mean: N = copy.deepcopy(network).eval().requires_grad_(False)
        self.progress = Progress()
        self._folder = folder
        self._optimiser = optimiser
        if (folder / "checkpoint.safetensors").exists():
            self._resume()
        elif exported is not None and exported.exists():
            for part in (network, self.mean):
                self._load(part, load_file(exported))

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate

    def follow(self, decay: float) -> None:
        """Let the mean follow the network, and count a step."""
        step = self.progress.step
        decay = min(decay, step / (step + BEGINNING_STEPS))
        mean = self.mean.state_dict()
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.dtype.is_floating_point:
                    mean[name].lerp_(value, 1.0 - decay)
                else:
                    mean[name].copy_(value)
        self.progress.step += 1

    def report(
        self,
        losses: Mapping[str, list[float]],
        dev: Mapping[str, float],
        say: Callable[[str], None],
        **figures: float,
    ) -> None:
        """Write a line to the log, and say it."""
        line: dict[str, Any] = {
            "step": self.progress.step,
            "minutes": round(self.progress.spent_s / 60, 1),
            **figures,
            "loss": {n: round(float(np.mean(v)), 4) for n, v in losses.items()},
            "dev": {name: round(value, 4) for name, value in dev.items()},
        }
        with (self._folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        say(json.dumps(line))

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        tensors = {f"network.{name}": t for name, t in self.network.state_dict().items()}
        tensors |= {f"mean.{name}": t for name, t in self.mean.state_dict().items()}
        for index, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        partial = self._folder / "checkpoint.partial"
        save_file({name: value.contiguous() for name, value in tensors.items()}, partial)
        partial.rename(self._folder / "checkpoint.safetensors")
        (self._folder / "state.json").write_text(json.dumps(asdict(self.progress)))

    def _resume(self) -> None:
        tensors = load_file(self._folder / "checkpoint.safetensors")
        self._load(self.network, _strip(tensors, "network."))
        self._load(self.mean, _strip(tensors, "mean."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _strip(tensors, "optimiser.").items():
            index, moment = name.split(".")
            moments.setdefault(int(index), {})[moment] = value
        self._optimiser.load_state_dict({**self._optimiser.state_dict(), "state": moments})
        self.progress = Progress(**json.loads((self._folder / "state.json").read_text()))
        self.progress.runs += 1

    def _load(self, part: nn.Module, tensors: dict[str, Tensor]) -> None:
        missing = set(part.state_dict()) ^ set(tensors)
        if missing:
            raise ValueError(f"these are weights of another network: {sorted(missing)[0]}")
        part.load_state_dict(tensors, strict=False)


def plateau(step: int, done: float, warm_up_steps: int) -> float:
    """A warm-up, then a plateau, then a straight descent over the last 40 % of the time."""
    return min(1.0, (step + 1) / warm_up_steps, max((1.0 - done) / 0.4, 0.01))


def cosine(step: int, done: float, warm_up_steps: int) -> float:
    """A warm-up, then half a cosine down."""
    warm = min(1.0, (step + 1) / warm_up_steps)
    return warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0))))


def _strip(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
