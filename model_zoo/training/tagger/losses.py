"""How far the network's answers are from what they should be."""

from __future__ import annotations

from typing import Final

import torch
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
"""What each head's loss counts for."""

ONSET_WEIGHT: Final = 2.0
"""Of a cell with an onset against one without: missing notes are the commoner fault."""


def losses(logits: Logits, targets: Targets) -> dict[str, Tensor]:
    """Return each head's loss, a scalar: cross-entropies per frame of what is told for every
    frame, means over what they hold for of the rest."""
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


def total(parts: dict[str, Tensor]) -> Tensor:
    """Return the weighted sum."""
    return torch.stack([WEIGHTS[name] * loss for name, loss in parts.items()]).sum()


def _per_frame(logits: Tensor, targets: Tensor, positive: float = 1.0) -> Tensor:
    weight = 1.0 + (positive - 1.0) * targets
    loss = F.binary_cross_entropy_with_logits(logits, targets, weight, reduction="sum")
    return loss / (logits.shape[0] * logits.shape[1])


def _mean_of_families(loss: Tensor, families: Tensor) -> Tensor:
    """Return the mean of the recordings' means, in which a family counts by the root of how much
    of it there is: a band's few notes count as a pianist's many, its soloist is not drowned."""
    count = families.sum((1, 2))
    mean = (loss[..., None] * families).sum((1, 2)) / count.clamp(min=1)
    weight = count.sqrt()
    own = (weight * mean).sum(1) / weight.sum(1).clamp(min=1)
    return own.sum() / (count.sum(1) > 0).sum().clamp(min=1)


def _mean(loss: Tensor, counted: Tensor) -> Tensor:
    return (loss * counted).sum() / counted.sum().clamp(min=1)
