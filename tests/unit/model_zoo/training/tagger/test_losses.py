"""The losses: least for the right answer, and blind where nothing is known."""

from __future__ import annotations

import numpy as np
import torch

from inference_service.tagger.model import Logits
from model_zoo.training.tagger.losses import WEIGHTS, losses, total
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


def test_silence_has_no_undefined_loss() -> None:
    empty = Take(np.zeros(1, np.float32), np.zeros((0, 5)), np.zeros((0, 3)))
    targets = draw_targets([empty], 20, 50.0)
    assert torch.isfinite(total(losses(answer(targets), targets)))
