"""Training of the network that cuts singing into notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional as F

from inference_service.tagger.singing.decoding import DecodingOptions
from inference_service.tagger.singing.network import Logits, SingingNet, SingingNetConfig
from model_zoo.training.loop import Options, cosine, learn, to_device
from model_zoo.training.singing.dataset import Batch, draw_batch, load_melodies
from model_zoo.training.singing.dev import measure, predict

WEIGHTS: Final = {"onset": 10.0, "sounding": 1.0, "bend": 1.0}
"""Weights of the losses; few frames hold an onset."""

OPTIONS: Final = Options(
    minutes=30.0,
    batch=16,
    learning_rate=3e-3,
    schedule=cosine,
    warm_up_steps=100,
    average_decay=0.995,
    report_every_s=240.0,
)


def losses(logits: Logits, batch: Batch) -> dict[str, Tensor]:
    """Return the loss of each head, a scalar."""
    bend = F.smooth_l1_loss(logits.bend, batch.bend, reduction="none", beta=0.1) * batch.bent
    return {
        "onset": F.binary_cross_entropy_with_logits(logits.onset, batch.onset),
        "sounding": F.binary_cross_entropy_with_logits(logits.sounding, batch.sounding),
        "bend": bend.sum() / batch.bent.sum().clamp(min=1.0),
    }


def train(
    cache: Path,
    folder: Path,
    options: Options,
    say: Callable[[str], None],
    config: SingingNetConfig | None = None,
) -> SingingNet:
    """Train on the melodies in ``cache`` until the time is spent; return the average.

    Writes ``singing.safetensors`` into ``folder``, beside the files of
    :mod:`model_zoo.training.loop`.

    Raises
    ------
    FileNotFoundError
        If nothing has been prepared.
    """
    torch.manual_seed(options.seed)
    melodies, dev = load_melodies(cache / "train"), load_melodies(cache / "dev")
    hours = round(sum(melody.duration_s for melody in melodies) / 3600, 2)
    network = SingingNet(config or SingingNetConfig())

    def compute_losses(random: Generator) -> Mapping[str, Tensor]:
        batch = to_device(draw_batch(melodies, options.batch, random), options.device)
        return losses(network(batch.spectrogram, batch.contour), batch)

    def evaluate(average: SingingNet) -> Mapping[str, float]:
        return measure(dev, [predict(average, melody) for melody in dev], DecodingOptions())

    return learn(
        network,
        folder / "singing.safetensors",
        options,
        compute_losses,
        evaluate,
        say,
        loss_weights=WEIGHTS,
        figures=lambda _: {"hours": hours},
    )
