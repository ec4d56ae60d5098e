"""Training of the beat network.

The loss forgives a shift of one frame: a beat counts by the largest output within
:data:`TOLERANCE_FRAMES` of it, and the outputs next to it are not penalised (Foscarin, Schlüter
and Widmer, "Beat this! Accurate beat tracking without DBN postprocessing", ISMIR 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import mir_eval
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import find_peaks
from torch import Tensor
from torch.nn import functional as F

from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.network import BeatNet, BeatNetConfig, Logits
from model_zoo.training.beats.dataset import Batch, Example, Pool
from model_zoo.training.loop import Options, cosine, learn, to_device
from model_zoo.training.sources.piece import UNKNOWN

TOLERANCE_FRAMES: Final = 1
BEAT_WEIGHT: Final = 3.0
DOWNBEAT_WEIGHT: Final = 5.0
"""Weights of a frame with a beat or downbeat against one without."""

COMPOUND_SHARE: Final = 0.1
"""Weight of the loss of "beats divide in three"."""

OPTIONS: Final = Options(
    minutes=40.0,
    batch=6,
    learning_rate=3e-3,
    schedule=cosine,
    warm_up_steps=100,
    average_decay=0.995,
    report_every_s=240.0,
)


def beat_loss(logits: Logits, batch: Batch) -> Tensor:
    """Return the loss of a batch, a scalar."""
    loss = shift_tolerant_loss(logits.beat, batch.beat, batch.valid, BEAT_WEIGHT)
    loss = loss + shift_tolerant_loss(logits.downbeat, batch.downbeat, batch.valid, DOWNBEAT_WEIGHT)
    known = batch.compound != UNKNOWN
    if known.any():
        target = batch.compound[known, None].float().expand(-1, logits.compound.shape[1])
        loss = loss + COMPOUND_SHARE * F.binary_cross_entropy_with_logits(
            logits.compound[known], target
        )
    return loss


def shift_tolerant_loss(logits: Tensor, targets: Tensor, valid: Tensor, weight: float) -> Tensor:
    """Return the weighted mean of the cross-entropies of the frames that count.

    Parameters
    ----------
    logits, targets, valid : torch.Tensor, shape (B, T)
    weight : float
        Weight of a frame with a target against one without.
    """
    near = _spread(logits, TOLERANCE_FRAMES)
    around = _spread(targets, 2 * TOLERANCE_FRAMES)
    positive = weight * targets * F.softplus(-near)
    negative = (1.0 - around) * F.softplus(logits)
    counted = valid * (weight * targets + 1.0 - around)
    return ((positive + negative) * valid).sum() / counted.sum().clamp(min=1.0)


def _spread(values: Tensor, frames: int) -> Tensor:
    return F.max_pool1d(values.unsqueeze(1), 2 * frames + 1, 1, frames).squeeze(1)


def train(
    cache: Path,
    options: Options,
    say: Callable[[str], None],
    config: BeatNetConfig | None = None,
) -> BeatNet:
    """Train on what was prepared in a folder, until the time is spent; return the average.

    Writes ``beats.safetensors`` into the folder, beside the files of
    :mod:`model_zoo.training.loop`.

    Raises
    ------
    FileNotFoundError
        If nothing has been prepared.
    """
    torch.manual_seed(options.seed)
    pool, dev = Pool(cache / "train"), Pool(cache / "dev")
    pool.refresh()
    dev.refresh()
    if not pool.examples:
        raise FileNotFoundError(f"nothing prepared in {cache}")
    network = BeatNet(config or BeatNetConfig())

    def compute_losses(random: Generator) -> Mapping[str, Tensor]:
        batch = to_device(pool.draw_batch(options.batch, random), options.device)
        return {"all": beat_loss(network(batch.features), batch)}

    def evaluate_and_refresh(average: BeatNet) -> Mapping[str, float]:
        pool.refresh()
        return evaluate(average, dev.examples)

    return learn(
        network,
        cache / "beats.safetensors",
        options,
        compute_losses,
        evaluate_and_refresh,
        say,
        figures=lambda _: {"hours": round(pool.hours, 1)},
    )


def evaluate(network: BeatNet, examples: Sequence[Example]) -> dict[str, float]:
    """Return mean loss, F1 of beats and downbeats by peak picking, and accuracy of the division."""
    device = next(network.parameters()).device
    figures: dict[str, list[float]] = {"loss": [], "beat": [], "downbeat": [], "compound": []}
    for example in examples:
        features = torch.from_numpy(example.features.astype(np.float32))[None].to(device)
        frames = np.rint(example.beats).astype(int)
        kept = frames < features.shape[-1]
        beat = torch.zeros(1, features.shape[-1], device=device)
        downbeat = torch.zeros_like(beat)
        beat[0, frames[kept]] = 1.0
        downbeat[0, frames[kept & (example.positions == 1)]] = 1.0
        compound = torch.tensor([example.compound], device=device)
        with torch.inference_mode():
            logits = network(features)
        batch = Batch(features, beat, downbeat, torch.ones_like(beat), compound)
        figures["loss"].append(float(beat_loss(logits, batch)))
        truth = {"beat": example.beats, "downbeat": example.beats[example.positions == 1]}
        for name, times in truth.items():
            found = _pick(getattr(logits, name)[0].cpu().numpy())
            figures[name].append(mir_eval.beat.f_measure(times / FRAMES_PER_S, found))
        if example.compound != UNKNOWN:
            estimate = float(logits.compound.mean()) > 0
            figures["compound"].append(float(estimate == bool(example.compound)))
    return {name: float(np.mean(values)) for name, values in figures.items() if values}


def _pick(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    peaks, _ = find_peaks(logits, height=0.0, distance=8)
    return np.asarray(peaks / FRAMES_PER_S, np.float64)
