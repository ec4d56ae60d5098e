"""Losses: lowest for correct outputs, and independent of outputs without a target."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference_service.tagger.notes.network import Logits
from model_zoo.training.tagger.losses import WEIGHTS, losses
from model_zoo.training.tagger.take import Take
from model_zoo.training.tagger.targets import Targets, draw_targets


def draw(pitch: float = 60.2) -> Targets:
    take = Take(
        np.zeros(1, np.float32),
        np.array([[0.4, 1.2, pitch, 90, 3]]),
        np.array([[0.5, 1, 100]]),
    )
    return draw_targets([take], 100, 50.0)


def answer(targets: Targets) -> Logits:
    """The log odds of a network that knows the targets."""
    return Logits(
        *(
            getattr(targets, name)
            if name == "bend"
            else torch.logit(getattr(targets, name).clamp(1e-4, 1 - 1e-4))
            for name in Logits._fields
        )
    )


def total(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([WEIGHTS[name] * loss for name, loss in parts.items()]).sum()


def test_each_head_has_a_weight_and_a_finite_loss() -> None:
    parts = losses(answer(draw()), draw())
    assert set(parts) == set(WEIGHTS)
    assert torch.isfinite(total(parts))


def test_the_right_answer_is_the_best() -> None:
    right, other = losses(answer(draw()), draw()), losses(answer(draw(62.7)), draw())
    for head in ("onset", "offset", "frame", "bend"):
        assert right[head] < other[head]
    assert total(right) < total(other)


def test_pitch_and_family_count_only_where_a_note_sounds() -> None:
    targets = draw()
    logits = answer(targets)
    silent = targets.frame == 0
    changed = logits._replace(
        bend=logits.bend + 5.0 * silent, family=logits.family - 9.0 * silent[..., None]
    )
    for head in ("bend", "family"):
        assert losses(changed, targets)[head] == losses(logits, targets)[head]


def test_a_soloist_counts_by_the_root_of_what_it_plays() -> None:
    band = np.array([[0.0, 1.8, 48.0, 90, 0], [0.0, 0.02 * 10, 72.0, 90, 6]])  # 90 frames, and 10
    targets = draw_targets([Take(np.zeros(1, np.float32), band, np.zeros((0, 3)))], 100, 50.0)
    right = answer(targets)
    deaf = right.family.clone()
    deaf[targets.family[..., 6] > 0] = 0.0
    costs = losses(right._replace(family=deaf), targets)["family"].item()
    everywhere = losses(right._replace(family=torch.zeros_like(deaf)), targets)["family"].item()
    assert costs / everywhere == pytest.approx(1 / (1 + np.sqrt(9)), rel=0.01)


def test_silence_has_no_undefined_loss() -> None:
    empty = Take(np.zeros(1, np.float32), np.zeros((0, 5)), np.zeros((0, 3)))
    targets = draw_targets([empty], 20, 50.0)
    assert torch.isfinite(total(losses(answer(targets), targets)))
