"""Trains the head of instrument families alone, on features from the rest of the network.

The head is small but its features are costly, so the features of each note are stored and learnt
from in several epochs. Training takes a minute or two, and is neither averaged nor resumed, so it
does not use :mod:`model_zoo.training.loop`. Music is drawn by :data:`SHARES`, with fewer pianos
than in the training of the whole network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.network import LOWEST_PITCH, NoteNet
from model_zoo.training.tagger.dataset import ExampleOptions, iterate_examples
from model_zoo.training.tagger.scene import Kind
from model_zoo.training.tagger.stored import iterate_files, join, store
from model_zoo.training.tagger.take import FAMILY, OFFSET, ONSET, PITCH, Take
from model_zoo.training.tagger.targets import within_range

SHARES: Final[dict[Kind, float]] = {
    "piano": 0.05,
    "band": 0.17,
    "guitar": 0.05,
    "chamber": 0.15,
    "ensemble": 0.36,
    "solo": 0.22,
}
"""Mostly players of one line each, and soloists, of all families alike. The shipped head was
trained on bands and chamber music, and never names brass (experiment 004)."""

LENGTH_S: Final = 9.6
FRAMES: Final = 4
"""Frames stored of each note, spread over its first :data:`EARLY_S` seconds."""

EARLY_S: Final = 0.5
KEPT_TOGETHER: Final = 100
"""Examples stored in a file."""

BATCH: Final = 512


class Notes(NamedTuple):
    """Features of notes.

    Attributes
    ----------
    places : np.ndarray, shape (N, FRAMES, 2 C), float16
        :attr:`inference_service.tagger.notes.network.HeadInputs.places` at the notes.
    family : np.ndarray of int, shape (N,)
    weight : np.ndarray, shape (N,), float32
        ``n ** -0.5`` for n notes of its family in the example, so that the family's notes together
        weigh the root of their number.
    """

    places: NDArray[np.float16]
    family: NDArray[np.int64]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to train the head."""

    epochs: int = 15
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    seed: int = 0


def collect(
    symbolic: Path,
    folder: Path,
    network: NoteNet,
    minutes: float,
    workers: int,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Render music for a number of minutes, and store the features of its notes in a folder."""
    options = ExampleOptions(length_s=LENGTH_S, shares=SHARES)
    examples = iterate_examples(symbolic, seed, workers, options)
    store(
        examples,
        lambda _, take: hear_notes(network, take),
        folder,
        minutes,
        seed,
        KEPT_TOGETHER,
        say,
    )


def hear_notes(network: NoteNet, take: Take) -> Notes:
    """Return the features of the notes that begin within a take."""
    with torch.inference_mode():
        inputs = network.compute_head_inputs(torch.from_numpy(take.samples)[None])
    places = inputs.places[0].permute(1, 2, 0)
    rate_hz = network.config.frame_rate_hz
    notes = within_range(take.notes)
    notes = notes[(notes[:, ONSET] >= 0) & (notes[:, ONSET] * rate_hz < inputs.frames - FRAMES)]
    first = np.round(notes[:, ONSET] * rate_hz).astype(int)
    last = np.round(np.minimum(notes[:, OFFSET], notes[:, ONSET] + EARLY_S) * rate_hz).astype(int)
    spread = np.linspace(0.0, 0.85, FRAMES) * np.maximum(last - first, 1)[:, None]
    frames = np.minimum(first[:, None] + spread.astype(int), inputs.frames - 1)
    pitches = np.round(notes[:, PITCH]).astype(int)[:, None] - LOWEST_PITCH
    family = notes[:, FAMILY].astype(np.int64)
    count = np.bincount(family, minlength=len(FAMILIES))
    return Notes(
        places[torch.from_numpy(frames), torch.from_numpy(pitches)].half().numpy(),
        family,
        (count[family] ** -0.5).astype(np.float32),
    )


def load(folder: Path) -> Notes:
    """Return the features that :func:`collect` stored.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    return join(iterate_files(Notes, folder))


def fit(
    network: NoteNet, notes: Notes, say: Callable[[str], None], options: FitOptions | None = None
) -> None:
    """Train the head from new random weights, in place."""
    options = options or FitOptions()
    torch.manual_seed(options.seed)
    head = network.families
    for layer in head:
        if isinstance(layer, nn.Conv2d | nn.LayerNorm):
            layer.reset_parameters()
    head.train()
    tensors = [torch.from_numpy(array) for array in notes]
    optimiser = torch.optim.AdamW(head.parameters(), weight_decay=options.weight_decay)
    steps = options.epochs * -(-len(notes.family) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, steps)
    for epoch in range(options.epochs):
        losses = []
        for rows in torch.split(torch.randperm(len(notes.family)), BATCH):
            loss = compute_loss(head, *(tensor[rows] for tensor in tensors))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            rate.step()
            losses.append(loss.item())
        say(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")
    head.eval()


def compute_loss(head: nn.Module, places: Tensor, family: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean over notes of the frames' mean cross-entropy."""
    logits = head(places.float().permute(0, 2, 1)[..., None])[..., 0]
    target = F.one_hot(family, len(FAMILIES)).float()[..., None].expand_as(logits)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (weight * loss.sum(1).mean(1)).sum() / weight.sum()
