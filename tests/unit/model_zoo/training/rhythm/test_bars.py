"""Stretches of written music with their bars, and very short runs of the training."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.bar_network import (
    TICK_FEATURES,
    BarNetwork,
    BarNetworkConfig,
    BarReader,
)
from inference_service.rhythm.from_notes.score_network import METRES
from model_zoo.training.rhythm import bars
from model_zoo.training.rhythm.__main__ import main
from model_zoo.training.rhythm.bars import (
    LENGTH_TICKS,
    Example,
    compute_loss,
    draw_batch,
    draw_example,
    train_bars,
)
from model_zoo.training.rhythm.corpora import ARCHIVES
from model_zoo.training.rhythm.dataset import IGNORED
from model_zoo.training.sources.scores import WrittenPiece, parse_score
from tests.unit.model_zoo.training.rhythm.pieces import study
from tests.unit.model_zoo.training.rhythm.test_dataset import build_pieces


@pytest.fixture(autouse=True)
def use_one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(name="steady")
def lose_no_eighth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "_SLIP_CHANCE", 0.0)


def draw_many(piece: WrittenPiece, number: int = 60) -> list[Example]:
    found = [draw_example(piece, np.random.default_rng(seed)) for seed in range(number)]
    return [example for example in found if example is not None]


def find_bar_length(downbeat: NDArray[np.float32]) -> int:
    """Return the length in eighths of the bars, which are all equally long."""
    (length,) = set(np.diff(np.flatnonzero(downbeat)).tolist())
    return int(length)


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize(
    ("time", "bar_q", "counted"),
    [
        ((4, 4), 4.0, {4: (2, 4), 8: (4, 4), 16: None}),
        ((3, 4), 3.0, {3: (3, 8), 6: (3, 4), 12: (12, 8)}),
        ((6, 8), 3.0, {3: (3, 8), 6: (6, 8), 12: (12, 8)}),
        ((2, 2), 4.0, {4: (2, 4), 8: (4, 4), 16: None}),
    ],
)
def test_metres_go_with_how_music_is_counted(
    time: tuple[int, int], bar_q: float, counted: dict[int, tuple[int, int] | None]
) -> None:
    written = parse_score("study", study(64))  # its own bars are four quarters long
    bar_start_q = np.arange(0.0, 256.0, bar_q)
    number = len(bar_start_q)
    piece = replace(
        written,
        bar_start_q=bar_start_q,
        bar_beats=np.full(number, time[0]),
        bar_unit=np.full(number, time[1]),
        bar_fifths=np.zeros(number, np.int64),
    )
    heard = {}
    for _, downbeat, metre in draw_many(piece):
        (index,) = set(metre.tolist())
        heard[find_bar_length(downbeat)] = None if index == IGNORED else METRES[index]
    assert heard == counted


def test_a_lost_eighth_moves_notes_and_bars_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "_SLIP_CHANCE", 0.02)
    lengths = set()
    for ticks, downbeat, _ in draw_many(parse_score("study", study(32))):
        lines = np.flatnonzero(downbeat)
        lengths |= set(np.diff(lines).tolist())
        struck = ticks[lines, 0]
        assert struck.mean() > 0.9, "the study strikes each of its downbeats"
    assert lengths >= {4, 8, 16}
    assert lengths - {4, 8, 16}, "some bars are an eighth longer or shorter"


@pytest.mark.usefixtures("steady")
def test_features_and_answers_are_of_one_stretch() -> None:
    for ticks, downbeat, metre in draw_many(parse_score("study", study(32))):
        assert ticks.shape == (len(downbeat), TICK_FEATURES)
        assert ticks.dtype == downbeat.dtype == np.float32
        assert len(downbeat) == len(metre) <= LENGTH_TICKS
        assert set(downbeat.tolist()) == {0.0, 1.0}


def test_what_is_too_short_is_not_drawn() -> None:
    assert draw_many(parse_score("study", study(2))) == []


def test_a_seed_is_a_batch() -> None:
    pieces = build_pieces()
    first, second = (draw_batch(pieces, np.random.default_rng(5), 3) for _ in range(2))
    for ours, theirs in zip(first, second, strict=True):
        torch.testing.assert_close(ours, theirs, equal_nan=True)


def test_batches_say_where_music_ends() -> None:
    ticks, downbeat, metre = draw_batch(build_pieces(), np.random.default_rng(1), 6)
    assert ticks.shape == (6, LENGTH_TICKS, TICK_FEATURES)
    assert downbeat.shape == metre.shape == (6, LENGTH_TICKS)
    beyond = torch.isnan(downbeat)
    assert beyond.any()
    assert not beyond.all(1).any()
    assert (ticks[beyond] == 0).all()
    assert (metre[beyond] == IGNORED).all()


def be_sure_of(downbeat: torch.Tensor, metre: torch.Tensor) -> torch.Tensor:
    """The logits of a network that knows every answer."""
    logits = torch.zeros(*metre.shape, 1 + len(METRES))
    logits[..., 0] = torch.where(downbeat == 1, 20.0, -20.0)
    known = metre != IGNORED
    logits[..., 1:][known] = 20.0 * torch.nn.functional.one_hot(metre[known], len(METRES)).float()
    return logits


def test_right_answers_cost_nothing_and_wrong_ones_much() -> None:
    _, downbeat, metre = draw_batch(build_pieces(), np.random.default_rng(1), 6)
    right = be_sure_of(downbeat, metre)
    assert compute_loss(right, downbeat, metre) < 1e-3
    assert compute_loss(torch.zeros_like(right), downbeat, metre) > 0.5
    assert compute_loss(-right, downbeat, metre) > 5


def test_beyond_the_end_anything_is_free() -> None:
    _, downbeat, metre = draw_batch(build_pieces(), np.random.default_rng(1), 6)
    logits = torch.zeros(*metre.shape, 1 + len(METRES))
    changed = logits.clone()
    changed[torch.isnan(downbeat)] = 50.0
    torch.testing.assert_close(
        compute_loss(changed, downbeat, metre), compute_loss(logits, downbeat, metre)
    )


def test_training_writes_what_serves_and_a_curve(tmp_path: Path) -> None:
    ticking = count(step=15.0)
    options = replace(bars.OPTIONS, minutes=2.0, clock=lambda: next(ticking))
    said: list[str] = []
    network = train_bars(
        build_pieces(), tmp_path, options, said.append, BarNetworkConfig(width=16, layers=3)
    )
    lines = [json.loads(text) for text in said]
    assert len(lines) > 1
    for line in lines:
        assert 0 <= line["dev"]["line_f1"] <= 1
        assert 0 <= line["dev"]["metre"] <= 1
    ticks, _, _ = draw_batch(build_pieces(), np.random.default_rng(3), 1)
    odds, _ = BarReader(tmp_path / "bars.safetensors").read(ticks[0].numpy())
    np.testing.assert_allclose(odds, network(ticks)[0, :, 0].detach().numpy(), rtol=1e-5)


def test_steps_make_the_loss_smaller() -> None:
    torch.manual_seed(0)
    network = BarNetwork(BarNetworkConfig(width=16, layers=3))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    found = []
    pieces, random = build_pieces(), np.random.default_rng(2)
    for ticks, downbeat, metre in (draw_batch(pieces, random, 4) for _ in range(30)):
        loss = compute_loss(network(ticks), downbeat, metre)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        found.append(loss.item())
    assert np.mean(found[-5:]) < 0.6 * np.mean(found[:3])


@pytest.mark.parametrize(
    ("command", "written"), [("bars", "bars.safetensors"), ("notes", "rhythm.safetensors")]
)
def test_the_command_line_trains(tmp_path: Path, command: str, written: str) -> None:
    for archive in ARCHIVES:
        with zipfile.ZipFile(tmp_path / f"{archive}.zip", "w") as files:
            if archive == "mutopia":
                files.writestr("index.csv", "composer,inst,pickup_quarters,midi_files\n")
            elif archive in build_pieces():
                files.writestr("study.musicxml", study(48))
    out = tmp_path / "out"
    main([command, "--data", str(tmp_path), "--out", str(out), "--minutes", "0"])
    assert (out / command / written).stat().st_size > 0
