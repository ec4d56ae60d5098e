"""The note tagger's losses."""

from __future__ import annotations

from typing import Final

from torch import Tensor
from torch.nn import functional as F

from inference_service.tagger.notes.network import Logits
from model_zoo.training.tagger.targets import Targets

WEIGHTS: Final = {
    "onset": 1.0,
    "offset": 0.5,
    "frame": 0.5,
    "velocity": 0.2,
    "bend": 0.5,
    "family": 1.0,
    "drum_onset": 2.0,
    "drum_velocity": 0.2,
}
"""Weights of the heads' losses in their sum. After the first run, those of drums were doubled and
that of families tripled (experiment 004)."""

ONSET_WEIGHT: Final = 2.0
"""Weight of a cell with an onset against one without: missed notes are the commoner fault."""


def losses(logits: Logits, targets: Targets) -> dict[str, Tensor]:
    """Return the loss of each head, a scalar.

    Onsets, offsets, frames and drum onsets: cross-entropy, summed over pitches, per frame.
    Velocities, bends and families: the mean over the cells that have a target.
    """
    return {
        "onset": _per_frame(logits.onset, targets.onset, ONSET_WEIGHT),
        "offset": _per_frame(logits.offset, targets.offset),
        "frame": _per_frame(logits.frame, targets.frame),
        "velocity": _mean(
            F.binary_cross_entropy_with_logits(logits.velocity, targets.velocity, reduction="none"),
            targets.struck,
        ),
        "bend": _mean((logits.bend - targets.bend).abs(), targets.frame > 0),
        "family": _mean_of_families(
            F.binary_cross_entropy_with_logits(logits.family, targets.family, reduction="none").sum(
                -1
            ),
            targets.family,
        ),
        "drum_onset": _per_frame(logits.drum_onset, targets.drum_onset, ONSET_WEIGHT),
        "drum_velocity": _mean(
            F.binary_cross_entropy_with_logits(
                logits.drum_velocity, targets.drum_velocity, reduction="none"
            ),
            targets.drum_struck,
        ),
    }


def _per_frame(logits: Tensor, targets: Tensor, positive: float = 1.0) -> Tensor:
    weight = 1.0 + (positive - 1.0) * targets
    loss = F.binary_cross_entropy_with_logits(logits, targets, weight, reduction="sum")
    return loss / (logits.shape[0] * logits.shape[1])


def _mean_of_families(loss: Tensor, families: Tensor) -> Tensor:
    """Return the mean over recordings of a weighted mean over families.

    A family is weighted by the square root of its number of frames, so that a soloist with few
    notes is not drowned by the band, nor a band by recordings of the piano alone.
    """
    count = families.sum((1, 2))
    mean = (loss[..., None] * families).sum((1, 2)) / count.clamp(min=1)
    weight = count.sqrt()
    own = (weight * mean).sum(1) / weight.sum(1).clamp(min=1)
    return own.sum() / (count.sum(1) > 0).sum().clamp(min=1)


def _mean(loss: Tensor, counted: Tensor) -> Tensor:
    return (loss * counted).sum() / counted.sum().clamp(min=1)
