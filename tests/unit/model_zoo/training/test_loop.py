"""The training loop: what it keeps, when it stops, and that it resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from numpy.random import Generator
from torch import Tensor, nn

from inference_service.checkpoint import Network, load_network, read_metadata, save_network
from inference_service.errors import ModelRejected
from model_zoo.training.loop import (
    CHECKPOINT,
    Options,
    cosine,
    learn,
    linear,
    load_progress,
    plateau,
)


@dataclass(frozen=True, slots=True)
class LineConfig:
    inputs: int = 3


class Line(Network):
    """A layer behind a dropout, so that torch's own randomness counts."""

    config_class = LineConfig
    config: LineConfig

    def __init__(self, config: LineConfig) -> None:
        super().__init__()
        self.config = config
        self.drop = nn.Dropout(0.3)
        self.layer = nn.Linear(config.inputs, 1)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.layer(self.drop(values))
        return result


class Curve(Line):
    pass


class Stopped(Exception):
    """Somebody stopped the process."""


class Clock:
    """Ten seconds a step."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def train(
    folder: Path, minutes: float, *, stop_after: int | None = None, network: Line | None = None
) -> tuple[Line, list[str]]:
    """Learn to add; an interrupted run is stopped after some steps, just after a report."""
    torch.manual_seed(0)
    network = network or Line(LineConfig())
    clock, said, taken = Clock(), list[str](), 0
    options = Options(minutes, 4, 0.05, cosine, 3, 0.9, 19.0, clock=clock)

    def compute_losses(random: Generator) -> Mapping[str, Tensor]:
        nonlocal taken
        if taken == stop_after:
            raise Stopped
        taken += 1
        clock.now_s += 10.0
        values = torch.from_numpy(random.standard_normal((options.batch, 3))).float()
        error = network(values)[:, 0] - values.sum(1)
        return {"square": error.square().mean(), "unused": error.mean()}

    def evaluate(average: Line) -> dict[str, float]:
        assert not average.training
        return {"weight": float(average.layer.weight.mean())}

    learn(
        network,
        folder / "line.safetensors",
        options,
        compute_losses,
        evaluate,
        said.append,
        loss_weights={"unused": 0.0},
        figures=lambda progress: {"hours": progress.examples / 10},
    )
    return network, said


def test_a_run_stops_when_its_time_is_spent(tmp_path: Path) -> None:
    train(tmp_path, 1.0)
    progress = load_progress(tmp_path)
    assert (progress.step, progress.spent_s, progress.examples) == (6, 60.0, 24)
    train(tmp_path, 1.0)
    assert load_progress(tmp_path) == progress, "earlier minutes count"
    train(tmp_path, 2.0)
    assert load_progress(tmp_path).step == 12


def test_an_interrupted_run_that_resumes_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, _ = train(tmp_path / "whole", 2.0)
    with pytest.raises(Stopped):
        train(tmp_path / "cut", 2.0, stop_after=6)
    assert load_progress(tmp_path / "cut").step == 6
    resumed, _ = train(tmp_path / "cut", 2.0)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    ends = [load_network(tmp_path / kind / "line.safetensors", Line) for kind in ("whole", "cut")]
    for name, value in ends[0].state_dict().items():
        assert torch.equal(value, ends[1].state_dict()[name])


def test_it_learns(tmp_path: Path) -> None:
    network, _ = train(tmp_path, 40.0)
    torch.testing.assert_close(network.layer.weight, torch.ones(1, 3), atol=0.6, rtol=0)


def test_the_average_forgets_at_its_decay(tmp_path: Path) -> None:
    states: list[Tensor] = []

    class Watched(Line):
        def forward(self, values: Tensor) -> Tensor:
            states.append(self.layer.weight.detach().clone())
            return super().forward(values)

    network, _ = train(tmp_path, 2.0, network=Watched(LineConfig()))
    expected = states[0]
    for step, state in enumerate([*states[1:], network.layer.weight.detach()]):
        decay = min(0.9, step / (step + 5))
        expected = decay * expected + (1 - decay) * state
    average = load_network(tmp_path / "line.safetensors", Watched)
    torch.testing.assert_close(average.layer.weight.detach(), expected)


def test_a_run_without_a_checkpoint_starts_from_the_weights(tmp_path: Path) -> None:
    given = Line(LineConfig())
    save_network(given, tmp_path / "line.safetensors")
    network, _ = train(tmp_path, 0.0)
    assert torch.equal(network.layer.weight, given.layer.weight)
    assert load_progress(tmp_path).step == 0


@pytest.mark.parametrize("other", [Curve(LineConfig()), Line(LineConfig(5))])
@pytest.mark.parametrize("kept", [CHECKPOINT, "line.safetensors"])
def test_another_network_is_refused(tmp_path: Path, other: Line, kept: str) -> None:
    train(tmp_path, 0.5)
    for path in tmp_path.glob("*.safetensors"):
        if path.name != kept:
            path.unlink()
    with pytest.raises(ModelRejected, match="another network"):
        train(tmp_path, 1.0, network=other)


def test_reports_are_logged_and_said(tmp_path: Path) -> None:
    _, said = train(tmp_path, 1.0)
    assert (tmp_path / "log.jsonl").read_text().splitlines() == said
    lines = [json.loads(text) for text in said]
    assert [line["step"] for line in lines] == [2, 4, 6, 6], "every 20 seconds, and at the end"
    assert set(lines[0]["loss"]) == {"square", "unused"}
    assert set(lines[0]["dev"]) == {"weight"}
    assert (lines[2]["minutes"], lines[2]["hours"]) == (1.0, 2.4)
    metadata = read_metadata(tmp_path / "line.safetensors")
    assert (metadata["steps"], metadata["minutes"], metadata["hours"]) == ("6", "1", "2.4")


def test_losses_count_by_their_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Line(LineConfig())
    before = network.layer.bias.detach().clone()
    options = Options(0.1, 1, 0.05, cosine, 1, 0.9, 60.0, weight_decay=0.0, clock=Clock())

    def compute_losses(_: Generator) -> Mapping[str, Tensor]:
        options.clock.now_s += 10.0  # type: ignore[attr-defined]
        return {"up": -network.layer.bias.sum(), "down": 2 * network.layer.bias.sum()}

    learn(
        network, tmp_path / "a.safetensors", replace(options), compute_losses, lambda _: {}, print,
        loss_weights={"up": 3.0},
    )  # fmt: skip
    assert bool((network.layer.bias > before).all())


def test_schedules_end_low() -> None:
    assert (cosine(0.0), cosine(1.0), cosine(1.2, 0.02)) == pytest.approx((1.0, 0.01, 0.02))
    assert (plateau(0.5), plateau(0.8), plateau(1.2)) == pytest.approx((1.0, 0.5, 0.01))
    assert (linear(0.0), linear(0.5), linear(2.0)) == pytest.approx((1.02, 0.52, 0.02))
