"""A run of training: what it keeps, and that it goes on from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from model_zoo.training.run import Run, plateau


def _begin(folder: Path, exported: Path | None = None) -> Run[nn.Linear]:
    torch.manual_seed(0)
    network = nn.Linear(2, 1)
    return Run(folder, network, torch.optim.AdamW(network.parameters(), 0.1), exported)


def _learn(run: Run[nn.Linear], optimiser: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimiser.zero_grad()
        torch.autograd.backward(run.network(torch.ones(4, 2)).square().mean())
        optimiser.step()
        run.follow(0.9)


def test_a_run_cut_in_two_is_the_run_in_one(tmp_path: Path) -> None:
    whole, first = _begin(tmp_path / "whole"), _begin(tmp_path / "cut")
    _learn(whole, whole._optimiser, 8)
    _learn(first, first._optimiser, 5)
    first.save()
    second = _begin(tmp_path / "cut")
    assert (second.progress.step, second.progress.runs) == (5, 1)
    _learn(second, second._optimiser, 3)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name])
        assert torch.equal(whole.mean.state_dict()[name], second.mean.state_dict()[name])


def test_the_mean_lags_behind_the_network(tmp_path: Path) -> None:
    run = _begin(tmp_path)
    before = run.network.weight.detach().clone()
    _learn(run, run._optimiser, 20)
    moved = (run.network.weight - before).abs()
    assert bool(((run.mean.weight - before).abs() < moved).all())


def test_a_run_begins_with_exported_weights(tmp_path: Path) -> None:
    exported = tmp_path / "weights.safetensors"
    save_file({"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, exported)
    run = _begin(tmp_path, exported)
    assert run.progress.step == 0
    for part in (run.network, run.mean):
        assert bool((part.weight == 1.0).all())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    exported = tmp_path / "weights.safetensors"
    save_file({"weight": torch.ones(1, 2)}, exported)
    with pytest.raises(ValueError, match="another network: bias"):
        _begin(tmp_path, exported)


def test_reports_are_logged_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    run = _begin(tmp_path)
    run.report({"onset": [1.0, 3.0]}, {"f1": 0.5}, said.append, hours=2.0)
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert line == json.loads(said[0])
    assert (line["loss"], line["dev"], line["hours"]) == ({"onset": 2.0}, {"f1": 0.5}, 2.0)


def test_the_rate_warms_up_stays_and_descends() -> None:
    assert plateau(0, 0.0, 60) == pytest.approx(1 / 60)
    assert plateau(100, 0.5, 60) == 1.0
    assert plateau(1000, 0.8, 60) == pytest.approx(0.5)
    assert plateau(1000, 1.2, 60) == 0.01
