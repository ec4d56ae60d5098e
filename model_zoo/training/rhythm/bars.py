"""Training of the bar network, on written music itself: no performance is needed.

What is uncertain about music whose beats were found is imitated: it may be counted at half or
twice its values, an eighth may be lost or found, loudness may say nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference_service.checkpoint import save_network
from inference_service.rhythm.from_notes.bar_network import TICK, BarNetwork, describe_ticks
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS
from model_zoo.training.rhythm.dataset import ARCHIVES, IGNORED, choose_notes, is_dev
from model_zoo.training.sources.scores import WrittenPiece

Example = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]

LENGTH_TICKS: Final = 512
_SLIP_CHANCE: Final = 0.002
_METRE_WEIGHT: Final = 0.4
_BY_LENGTH: Final = {4: (2, 4), 6: (3, 4), 8: (4, 4), 3: (3, 8), 9: (9, 8), 12: (12, 8)}
"""The metre of a bar of so many eighths, but for 6/8."""


def draw_example(piece: WrittenPiece, rng: np.random.Generator) -> Example | None:
    """Return features, bar lines and metres of a stretch of a piece; None where it is too short."""
    chosen, _ = choose_notes(piece, rng)
    if chosen is None or chosen.grace.all():
        return None
    main = ~chosen.grace
    scale = float(rng.choice([0.5, 1.0, 2.0], p=[0.15, 0.7, 0.15]))
    onset = chosen.onset_q[main] * scale
    lengths = chosen.duration_q[main] * scale
    order = np.argsort(onset, kind="stable")
    onset, lengths = onset[order], lengths[order] * rng.uniform(0.5, 1.2)
    lengths = lengths * rng.uniform(0.7, 1.2, len(lengths))
    pitch = chosen.pitch[main][order] + int(rng.integers(-6, 7))
    bars = chosen.bar_start_q * scale
    positions, lines = _slip(onset, bars, rng)
    first = int(positions[0]) // TICK * TICK
    count = int(positions[-1] - first) // TICK + 1
    if count < LENGTH_TICKS // 8:
        return None
    velocity = np.clip(rng.normal(70, 10, len(pitch)), 20, 120)
    if rng.random() < 0.5:
        velocity += rng.uniform(3, 12) * np.isin(positions, lines)
    ticks = describe_ticks(
        positions - first, lengths, np.clip(pitch, 0, 127), velocity.astype(np.int64), count
    )
    downbeat, metre = _targets(chosen, lines - first, count, scale)
    start = int(rng.integers(0, max(count - LENGTH_TICKS, 0) + 1))
    window = slice(start, start + LENGTH_TICKS)
    return ticks[window], downbeat[window], metre[window]


def _slip(
    onset: NDArray[np.float64], bars: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positions of notes and bar lines in 24ths; here and there an eighth goes astray."""
    where = np.sort(rng.uniform(0, onset[-1] + 1, rng.poisson(_SLIP_CHANCE * 2 * onset[-1])))
    moved = np.concatenate([[0], rng.choice([-TICK, TICK], len(where)).cumsum()])
    positions = np.rint(onset * QUARTER_PARTS).astype(np.int64)
    positions = np.maximum.accumulate(positions + moved[np.searchsorted(where, onset)])
    lines = np.rint(bars * QUARTER_PARTS).astype(np.int64) + moved[np.searchsorted(where, bars)]
    return positions, lines


def _targets(
    piece: WrittenPiece, lines: NDArray[np.int64], count: int, scale: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    downbeat = np.zeros(count, np.float32)
    metre = np.full(count, IGNORED)
    ticks = lines // TICK
    inside = (ticks >= 0) & (ticks < count) & (lines % TICK == 0)
    downbeat[ticks[inside]] = 1.0
    for bar in range(len(lines)):
        beats, unit = int(piece.bar_beats[bar]), int(piece.bar_unit[bar])
        eighths = 8 * beats / unit * scale
        found = _BY_LENGTH.get(round(eighths)) if eighths == round(eighths) else None
        if round(eighths) == 6 and unit == 8 and beats == 6 and scale == 1.0:
            found = (6, 8)
        begin = int(np.clip(ticks[bar], 0, count))
        end = int(np.clip(ticks[bar + 1], 0, count)) if bar + 1 < len(lines) else count
        metre[begin:end] = METRES.index(found) if found in METRES else IGNORED
    return downbeat, metre


def draw_batches(
    pieces: dict[str, list[WrittenPiece]], seed: int, size: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield features, bar lines (NaN beyond the end) and metres of ``size`` stretches, for ever."""
    rng = np.random.default_rng(seed)
    names, shares = list(ARCHIVES), np.array(list(ARCHIVES.values()))
    while True:
        found: list[Example] = []
        while len(found) < size:
            group = pieces[names[int(rng.choice(len(names), p=shares / shares.sum()))]]
            example = draw_example(group[int(rng.integers(len(group)))], rng)
            if example is not None:
                found.append(example)
        ticks = np.zeros((size, LENGTH_TICKS, found[0][0].shape[1]), np.float32)
        downbeat = np.full((size, LENGTH_TICKS), np.nan, np.float32)
        metre = np.full((size, LENGTH_TICKS), IGNORED)
        for row, (features, lines, metres) in enumerate(found):
            ticks[row, : len(features)] = features
            downbeat[row, : len(features)] = lines
            metre[row, : len(features)] = metres
        yield torch.from_numpy(ticks), torch.from_numpy(downbeat), torch.from_numpy(metre)


def compute_loss(logits: Tensor, downbeat: Tensor, metre: Tensor) -> Tensor:
    """Return the loss of a batch."""
    known = torch.isfinite(downbeat)
    lines = functional.binary_cross_entropy_with_logits(logits[..., 0][known], downbeat[known])
    metres = functional.cross_entropy(
        logits[..., 1:].flatten(0, 1), metre.flatten(), ignore_index=IGNORED
    )
    return lines + _METRE_WEIGHT * metres


def train_bars(
    pieces: dict[str, list[WrittenPiece]], folder: Path, minutes: float, *, seed: int = 0
) -> BarNetwork:
    """Train for so many minutes; write ``bars.safetensors`` and ``bars.jsonl`` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = BarNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
    learnt = {k: [p for p in v if not is_dev(p)] for k, v in pieces.items()}
    kept = {k: [p for p in v if is_dev(p)] or v for k, v in pieces.items()}
    held_back = draw_batches(kept, 20_000_000, 16)
    dev = [next(held_back) for _ in range(8)]
    start_s = last_s = time.monotonic()
    for step, (ticks, downbeat, metre) in enumerate(draw_batches(learnt, seed, 16)):
        done = (time.monotonic() - start_s) / (60 * minutes)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 100) * (1.02 - done)
        loss = compute_loss(network(ticks), downbeat, metre)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if time.monotonic() - last_s > 45:
            last_s = time.monotonic()
            line = {"step": step, "seconds": round(last_s - start_s), **_measure(network, dev)}
            with (folder / "bars.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            save_network(network, folder / "bars.safetensors")
    save_network(network, folder / "bars.safetensors")
    return network


def _measure(network: BarNetwork, batches: list[tuple[Tensor, Tensor, Tensor]]) -> dict[str, float]:
    """Return F1 of bar lines over even odds, and the share of metres, on batches."""
    network.eval()
    right = found = true = metres = known = 0
    with torch.inference_mode():
        for ticks, downbeat, metre in batches:
            logits = network(ticks)
            said, is_line = logits[..., 0] > 0, downbeat == 1
            said &= torch.isfinite(downbeat)
            right += int((said & is_line).sum())
            found += int(said.sum())
            true += int(is_line.sum())
            metres += int(((logits[..., 1:].argmax(2) == metre) & (metre != IGNORED)).sum())
            known += int((metre != IGNORED).sum())
    network.train()
    return {"line_f1": 2 * right / max(found + true, 1), "metre": metres / max(known, 1)}
