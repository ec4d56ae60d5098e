"""Excerpts of a small piece, a loss that forgives a frame, and very short runs of the training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.checkpoint import load_network
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.network import BeatNet, BeatNetConfig, Logits
from model_zoo.training.beats.dataset import EXCERPT_FRAMES, Batch, Pool, load_example
from model_zoo.training.beats.train import (
    OPTIONS,
    beat_loss,
    evaluate,
    shift_tolerant_loss,
    train,
)
from model_zoo.training.sources.piece import UNKNOWN

SMALL = BeatNetConfig(channels=8, doublings=4)
BINS = SMALL.bins


@pytest.fixture(autouse=True)
def use_one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_example(path: Path, *, seconds: float, compound: int = 0, beat_s: float = 0.5) -> None:
    """Clicks, twice a second, every fourth with a bass, as :mod:`prepare` keeps them."""
    beats_s = np.arange(0.5, seconds - 0.5, beat_s)
    positions = 1 + np.arange(len(beats_s)) % 4
    features = np.zeros((BINS, round(seconds * FRAMES_PER_S)), np.float16)
    frames = np.rint(beats_s * FRAMES_PER_S).astype(int)
    features[BINS // 2 :, frames] = 5.0
    features[: BINS // 4, frames[positions == 1]] = 5.0
    path.parent.mkdir(exist_ok=True)
    np.savez(
        path,
        features=features,
        beats_s=beats_s.astype(np.float32),
        positions=positions.astype(np.int8),
        bar_beats=4,
        compound=compound,
        name=path.stem,
    )


@pytest.fixture(name="cache")
def build_cache(tmp_path: Path) -> Path:
    write_example(tmp_path / "train" / "long.npz", seconds=45.0)
    write_example(tmp_path / "train" / "short.npz", seconds=10.0, compound=UNKNOWN)
    write_example(tmp_path / "dev" / "dev.npz", seconds=12.0)
    return tmp_path


def test_excerpts_have_their_beats(cache: Path) -> None:
    pool = Pool(cache / "train")
    pool.refresh()
    pool.refresh()
    assert len(pool.examples) == 2, "none is loaded twice"
    assert pool.hours == pytest.approx(55 / 3600)
    batch = pool.draw_batch(16, np.random.default_rng(0))
    assert batch.features.shape == (16, BINS, EXCERPT_FRAMES)
    for target in (batch.beat, batch.downbeat, batch.valid):
        assert target.shape == (16, EXCERPT_FRAMES)
        assert set(target.flatten().tolist()) <= {0.0, 1.0}
    assert set(batch.compound.tolist()) == {0, UNKNOWN}
    assert torch.isfinite(batch.features).all()
    assert (batch.downbeat <= batch.beat).all()
    share = batch.downbeat.sum() / batch.beat.sum()
    assert share == pytest.approx(0.25, abs=0.03)


def test_a_loss_forgives_one_frame() -> None:
    target = torch.zeros(1, 40)
    target[0, 20] = 1.0
    loss = []
    for found in (20, 21, 24):
        logits = torch.full((1, 40), -9.0)
        logits[0, found] = 9.0
        loss.append(shift_tolerant_loss(logits, target, torch.ones(1, 40), 3.0).item())
    assert loss[0] < 0.01
    assert loss[1] == pytest.approx(loss[0], abs=1e-3)
    assert loss[2] > 0.5


def test_training_resumes_and_learns(cache: Path) -> None:
    ticking = count(step=30.0)  # so that steps, not the machine, make the minutes
    options = replace(OPTIONS, batch=1, clock=lambda: next(ticking))
    weights, said = cache / "beats.safetensors", list[str]()
    train(cache, replace(options, minutes=1.0), said.append, SMALL)
    before = load_network(weights, BeatNet)
    train(cache, replace(options, minutes=20.0, learning_rate=1e-2), said.append, SMALL)
    after = load_network(weights, BeatNet)
    assert after.config == SMALL
    first, *reports, last = (json.loads(text)["step"] for text in said)
    assert 1 <= first < reports[0] < last
    dev = [load_example(cache / "dev" / "dev.npz")]
    assert evaluate(after, dev)["loss"] < evaluate(before, dev)["loss"]


def test_nothing_is_learnt_from_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing prepared"):
        train(tmp_path, OPTIONS, lambda _: None, SMALL)


@pytest.mark.parametrize(("compound", "learns"), [(1, True), (0, True), (UNKNOWN, False)])
def test_only_a_known_division_is_learnt(compound: int, learns: bool) -> None:
    output = torch.zeros(1, 40, requires_grad=True)
    blank = torch.zeros(1, 40)
    logits = Logits(torch.zeros(1, 40, requires_grad=True), blank, output)
    batch = Batch(
        torch.zeros(1, BINS, 40), blank, blank, torch.ones(1, 40), torch.tensor([compound])
    )
    beat_loss(logits, batch).backward()  # type: ignore[no-untyped-call]
    assert (output.grad is not None and bool(output.grad.any())) == learns
