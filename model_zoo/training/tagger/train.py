"""Training of the note tagger, in bfloat16 where the device has instructions for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from inference_service.tagger.notes.network import Logits, NoteNet, NoteNetConfig
from model_zoo.training.beats.prepare import load_corpora
from model_zoo.training.loop import Options, learn, load_progress, plateau
from model_zoo.training.tagger.dataset import (
    ExampleOptions,
    iterate_examples,
    make_example,
    render_take,
)
from model_zoo.training.tagger.dev import in_bfloat16, measure
from model_zoo.training.tagger.losses import WEIGHTS, losses
from model_zoo.training.tagger.take import Take
from model_zoo.training.tagger.targets import draw_targets

DEV_SEED: Final = 10_000_000
DEV_EXAMPLES: Final = 40

OPTIONS: Final = Options(
    minutes=120.0,
    batch=4,
    learning_rate=2e-3,
    schedule=plateau,
    warm_up_steps=60,
    average_decay=0.998,
    report_every_s=300.0,
    weight_decay=0.02,
    betas=(0.9, 0.98),
)


def train(
    symbolic: Path,
    folder: Path,
    options: Options,
    say: Callable[[str], None],
    config: NoteNetConfig | None = None,
    *,
    examples: ExampleOptions | None = None,
    workers: int = 1,
    compiled: bool = False,
) -> NoteNet:
    """Render music and train on it until the time is spent; return the average.

    Writes ``tagger.safetensors`` into the folder, beside the files of
    :mod:`model_zoo.training.loop`.

    Parameters
    ----------
    symbolic : Path
        The folder of corpora.
    folder : Path
    options : Options
    say : callable
    config : NoteNetConfig, optional
    examples : ExampleOptions, optional
    workers : int
        Number of processes that render.
    compiled : bool
        Whether to compile the network, which pays on GPUs.
    """
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    network: NoteNet = NoteNet(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    forward = torch.compile(network) if compiled else network
    examples = examples or ExampleOptions()
    length_s = examples.length_s
    dev = make_dev_examples(symbolic, examples)
    seed = options.seed + 1000 * load_progress(folder).step  # a resumed run renders other music
    takes = iterate_examples(symbolic, seed, workers, examples)

    def compute_losses(_: Generator) -> Mapping[str, Tensor]:
        batch = [next(takes) for _ in range(options.batch)]
        return _compute_losses(forward, network, batch, device)

    return learn(
        network,
        folder / "tagger.safetensors",
        options,
        compute_losses,
        lambda average: measure(average, dev, device),
        say,
        loss_weights=WEIGHTS,
        figures=lambda progress: {"heard_h": round(progress.examples * length_s / 3600, 2)},
        parameters=_groups(network, options.weight_decay),
    )


def make_dev_examples(symbolic: Path, options: ExampleOptions) -> list[Take]:
    """Return examples of held-out music, the same ones for the same options."""
    random = np.random.default_rng(DEV_SEED)
    corpora = load_corpora(symbolic, dev=True)
    return [
        make_example(render_take(corpora, random), random, options) for _ in range(DEV_EXAMPLES)
    ]


def _compute_losses(
    forward: Callable[[Tensor], Logits],
    network: NoteNet,
    takes: Sequence[Take],
    device: torch.device,
) -> dict[str, Tensor]:
    samples = torch.from_numpy(np.stack([take.samples for take in takes])).to(device)
    with in_bfloat16(device):
        logits = forward(samples)
    rate_hz = network.config.frame_rate_hz
    targets = draw_targets(takes, logits.onset.shape[1], rate_hz).to(str(device))
    return losses(logits, targets)


def _groups(network: NoteNet, weight_decay: float) -> list[dict[str, Any]]:
    """Return parameter groups in which matrices and kernels decay, biases and scales do not."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
