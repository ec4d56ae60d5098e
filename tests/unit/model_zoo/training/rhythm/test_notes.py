"""Losses, and a very short run of the training."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.checkpoint import load_network
from inference_service.music.events import NoteEvent
from inference_service.rhythm.from_notes.score_network import (
    Logits,
    ScoreNetwork,
    ScoreNetworkConfig,
)
from inference_service.rhythm.from_notes.score_reader import ScoreReader
from model_zoo.training.rhythm.dataset import IGNORED, Batch, draw_batch
from model_zoo.training.rhythm.notes import OPTIONS, WEIGHTS, accuracies, losses, train_notes
from tests.unit.model_zoo.training.rhythm.test_dataset import build_pieces


@pytest.fixture(scope="module")
def batch() -> Batch:
    return draw_batch(build_pieces(), np.random.default_rng(1), 3, 24)


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


def test_training_writes_what_serves_and_resumes(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    ticking = count(step=15.0)
    options = replace(OPTIONS, batch=2, clock=lambda: next(ticking))
    small = ScoreNetworkConfig(width=8, note_width=8)
    said: list[str] = []
    for minutes in (0.5, 2.0):
        chosen = replace(options, minutes=minutes)
        average = train_notes(build_pieces(), tmp_path, chosen, said.append, small, length=24)
    lines = [json.loads(text) for text in said]
    assert set(lines[0]["loss"]) == set(lines[0]["dev"]) == set(WEIGHTS)
    assert lines[-1]["step"] > lines[0]["step"] > 0
    kept = load_network(tmp_path / "rhythm.safetensors", ScoreNetwork)
    for name, value in average.state_dict().items():
        assert torch.equal(value, kept.state_dict()[name])
    reading = ScoreReader(tmp_path / "rhythm.safetensors").read([NoteEvent(0.0, 1.0, 60)])
    assert reading.place.shape[0] == 1
