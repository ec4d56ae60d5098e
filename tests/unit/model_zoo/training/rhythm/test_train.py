"""Losses, and a very short run of the training."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from inference_service.music.events import NoteEvent
from inference_service.rhythm.from_notes.score_network import (
    Logits,
    ScoreNetwork,
    ScoreNetworkConfig,
)
from inference_service.rhythm.from_notes.score_reader import ScoreReader
from model_zoo.training.rhythm.dataset import IGNORED, Batch, draw_batches
from model_zoo.training.rhythm.train import WEIGHTS, Schedule, accuracies, losses, train
from tests.unit.model_zoo.training.rhythm.test_dataset import build_pieces

SHORT = Schedule(minutes=0.02, batch=2, length=24, log_every_s=0.2, save_every_s=0.2)


@pytest.fixture(scope="module")
def batch() -> Batch:
    (only,) = islice(draw_batches(build_pieces(), 1, 3, 24), 1)
    return only


def sure_of(batch: Batch) -> Logits:
    """The logits of a network that knows every answer."""
    found = {}
    network = ScoreNetwork(ScoreNetworkConfig(width=8, note_width=8))
    blank = network(batch.attacks, batch.notes, batch.index)
    for name, target in batch.targets.items():
        values = torch.zeros_like(getattr(blank, name))
        if name == "tempo":
            values = torch.log(target + 1e-6)
        elif values.ndim == 1:
            values = torch.where(target == 1, 20.0, -20.0)
        else:
            known = (target != IGNORED).nonzero().flatten()
            values[known, target[known]] = 20.0
        found[name] = values
    return Logits(**found)


def test_right_answers_are_all_right(batch: Batch) -> None:
    assert set(accuracies(sure_of(batch), batch.targets).values()) == {1.0}


def test_the_loss_of_the_right_answers_is_less_than_of_none(batch: Batch) -> None:
    network = ScoreNetwork(ScoreNetworkConfig(width=8, note_width=8))
    untrained = losses(network(batch.attacks, batch.notes, batch.index), batch.targets)
    right = losses(sure_of(batch), batch.targets)
    assert set(untrained) == set(right) == set(WEIGHTS)
    for name in WEIGHTS:
        assert right[name] < untrained[name], name


def test_what_is_not_known_costs_nothing(batch: Batch) -> None:
    blank = {name: torch.full_like(t, IGNORED) for name, t in batch.targets.items()}
    blank["tempo"] = torch.zeros_like(batch.targets["tempo"])
    assert losses(sure_of(batch), blank) == {}


def test_training_writes_what_serves_and_goes_on(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    train(build_pieces(), tmp_path, SHORT)
    first = json.loads((tmp_path / "state.json").read_text())
    assert first["step"] >= 1
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert set(lines[0]["loss"]) == set(lines[0]["dev"]) == set(WEIGHTS)
    reading = ScoreReader(tmp_path / "checkpoint.safetensors").read([NoteEvent(0.0, 1.0, 60)])
    assert reading.place.shape[0] == 1

    again = train(build_pieces(), tmp_path, SHORT)  # its minutes are spent
    assert json.loads((tmp_path / "state.json").read_text())["step"] == first["step"]
    with safe_open(tmp_path / "checkpoint.safetensors", "pt") as file:
        for name, value in again.state_dict().items():
            torch.testing.assert_close(file.get_tensor(name), value)

    train(build_pieces(), tmp_path, Schedule(0.03, batch=2, length=24))
    assert json.loads((tmp_path / "state.json").read_text())["step"] > first["step"]
