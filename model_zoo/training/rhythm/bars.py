"""Training of the bar network, on written music itself: no performance is needed.

The errors of located music are imitated: it may be counted at half or twice its values, an eighth
may be lost or inserted, loudness may say nothing of the bars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference_service.rhythm.from_notes.bar_network import (
    TICK,
    TICK_FEATURES,
    BarNetwork,
    BarNetworkConfig,
    describe_ticks,
)
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS
from model_zoo.training.loop import Options, learn, linear
from model_zoo.training.rhythm.corpora import (
    Pieces,
    choose_notes,
    draw_examples,
    split_pieces,
)
from model_zoo.training.rhythm.dataset import IGNORED
from model_zoo.training.sources.scores import WrittenPiece

Example = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]
Batch = tuple[Tensor, Tensor, Tensor]

LENGTH_TICKS: Final = 512
OPTIONS: Final = Options(
    minutes=20.0,
    batch=16,
    learning_rate=2e-3,
    schedule=linear,
    warm_up_steps=100,
    average_decay=0.998,
    report_every_s=45.0,
)

_SLIP_CHANCE: Final = 0.002
_METRE_WEIGHT: Final = 0.4
_BY_LENGTH: Final = {4: (2, 4), 6: (3, 4), 8: (4, 4), 3: (3, 8), 9: (9, 8), 12: (12, 8)}
"""The metre of a bar by its number of eighths, except 6/8."""

_DEV_BATCHES: Final = 8
_DEV_BATCH: Final = 16
_DEV_SEED: Final = 20_000_000


def draw_example(piece: WrittenPiece, rng: Generator) -> Example | None:
    """Return features, bar lines and metres of a stretch of a piece; None if it is too short."""
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
    onset: NDArray[np.float64], bars: NDArray[np.float64], rng: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positions of notes and bar lines in 24ths; now and then an eighth slips."""
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


def draw_batch(pieces: Pieces, random: Generator, size: int) -> Batch:
    """Draw features, bar lines (NaN beyond the end) and metres of ``size`` stretches."""
    found = draw_examples(pieces, random, size, draw_example)
    ticks = np.zeros((size, LENGTH_TICKS, TICK_FEATURES), np.float32)
    downbeat = np.full((size, LENGTH_TICKS), np.nan, np.float32)
    metre = np.full((size, LENGTH_TICKS), IGNORED)
    for row, (features, lines, metres) in enumerate(found):
        ticks[row, : len(features)] = features
        downbeat[row, : len(features)] = lines
        metre[row, : len(features)] = metres
    return torch.from_numpy(ticks), torch.from_numpy(downbeat), torch.from_numpy(metre)


def compute_loss(logits: Tensor, downbeat: Tensor, metre: Tensor) -> Tensor:
    """Return the loss of a batch, a scalar."""
    known = torch.isfinite(downbeat)
    lines = functional.binary_cross_entropy_with_logits(logits[..., 0][known], downbeat[known])
    metres = functional.cross_entropy(
        logits[..., 1:].flatten(0, 1), metre.flatten(), ignore_index=IGNORED
    )
    return lines + _METRE_WEIGHT * metres


def train_bars(
    pieces: Pieces,
    folder: Path,
    options: Options,
    say: Callable[[str], None],
    config: BarNetworkConfig | None = None,
) -> BarNetwork:
    """Train on written pieces until the time is spent; return the average.

    Writes ``bars.safetensors`` into the folder, beside the files of
    :mod:`model_zoo.training.loop`.
    """
    torch.manual_seed(options.seed)
    learnt, held_out = split_pieces(pieces)
    random = np.random.default_rng(_DEV_SEED)
    dev = [draw_batch(held_out, random, _DEV_BATCH) for _ in range(_DEV_BATCHES)]
    network = BarNetwork(config)

    def compute_losses(random: Generator) -> Mapping[str, Tensor]:
        ticks, downbeat, metre = (
            part.to(options.device) for part in draw_batch(learnt, random, options.batch)
        )
        return {"all": compute_loss(network(ticks), downbeat, metre)}

    return learn(
        network,
        folder / "bars.safetensors",
        options,
        compute_losses,
        lambda average: measure(average, dev, options.device),
        say,
    )


def measure(network: BarNetwork, batches: Sequence[Batch], device: str) -> dict[str, float]:
    """Return the F1 of bar lines at even odds, and the share of right metres."""
    right = found = true = metres = known = 0
    with torch.inference_mode():
        for ticks, downbeat, metre in batches:
            logits = network(ticks.to(device)).cpu()
            said, is_line = logits[..., 0] > 0, downbeat == 1
            said &= torch.isfinite(downbeat)
            right += int((said & is_line).sum())
            found += int(said.sum())
            true += int(is_line.sum())
            metres += int(((logits[..., 1:].argmax(2) == metre) & (metre != IGNORED)).sum())
            known += int((metre != IGNORED).sum())
    return {"line_f1": 2 * right / max(found + true, 1), "metre": metres / max(known, 1)}
