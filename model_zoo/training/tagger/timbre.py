"""Trains the network that rates families of instruments by the partials of notes.

The network is small, but rendering music for it is not. So what it sees of each note is stored, and
learnt from in several epochs, which take minutes. They are neither averaged nor resumed, and do not
use :mod:`model_zoo.training.loop`. Every tenth example is held out. Examples of one worker share
takes, so a fairer figure comes from examples of another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.timbre import TimbreNet, find_partials
from model_zoo.training.tagger.dataset import ExampleOptions, iterate_examples
from model_zoo.training.tagger.scene import Kind
from model_zoo.training.tagger.stored import iterate_files, join, store
from model_zoo.training.tagger.take import FAMILY, ONSET, PITCH, Take
from model_zoo.training.tagger.targets import within_range

SHARES: Final[dict[Kind, float]] = {
    "piano": 0.05,
    "band": 0.2,
    "guitar": 0.06,
    "voice": 0.04,
    "chamber": 0.13,
    "ensemble": 0.32,
    "solo": 0.2,
}
"""Mostly players of one line each, and soloists, of all families alike."""

LENGTH_S: Final = 9.6
MOST_NOTES: Final = 60
"""Notes used of an example."""

KEPT_TOGETHER: Final = 50
"""Examples stored in a file."""

HELD_OUT: Final = 10
"""One example in so many."""

BATCH: Final = 256
SMOOTHING: Final = 0.05
NOISE: Final = 0.1
"""Standard deviation, in the spectrogram's levels, of a random filter on the partials."""

LEAST_NOTES: Final = 4
"""Of a track that is judged as a whole."""


class Notes(NamedTuple):
    """What the network sees of N notes, and what it is to tell.

    Attributes
    ----------
    levels : np.ndarray, shape (N, FRAMES, LEVELS), float16
    sounding : np.ndarray, shape (N, FRAMES), float16
    pitch : np.ndarray, shape (N,), float32
    family : np.ndarray of int, shape (N,)
    example : np.ndarray of int, shape (N,)
    """

    levels: NDArray[np.float16]
    sounding: NDArray[np.float16]
    pitch: NDArray[np.float32]
    family: NDArray[np.int64]
    example: NDArray[np.int64]

    def select(self, rows: NDArray[np.bool_]) -> Notes:
        """Return some of the notes."""
        return Notes._make(array[rows] for array in self)


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to train."""

    epochs: int = 20
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    seed: int = 0


def collect(
    symbolic: Path,
    folder: Path,
    network: TimbreNet,
    minutes: float,
    workers: int,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Render music for a number of minutes, and store what is seen of its notes in a folder."""
    options = ExampleOptions(length_s=LENGTH_S, shares=SHARES)
    examples = iterate_examples(symbolic, seed, workers, options)
    random = np.random.default_rng(seed)
    store(
        examples,
        lambda number, take: look(network, take, number, random),
        folder,
        minutes,
        seed,
        KEPT_TOGETHER,
        say,
    )


def look(network: TimbreNet, take: Take, example: int, random: np.random.Generator) -> Notes:
    """Return what is seen of notes, drawn from those that begin within a take."""
    with torch.inference_mode():
        spectrum = network.compute_levels(torch.from_numpy(take.samples)).numpy()
    rate_hz = network.config.spectrogram.frame_rate_hz
    notes = within_range(take.notes)
    notes = notes[(notes[:, ONSET] >= 0) & (notes[:, ONSET] * rate_hz < spectrum.shape[1])]
    if len(notes) > MOST_NOTES:
        notes = notes[np.sort(random.choice(len(notes), MOST_NOTES, replace=False))]
    seen = find_partials(spectrum, notes[:, : PITCH + 1], rate_hz)
    return Notes(
        seen.levels.astype(np.float16),
        seen.sounding.astype(np.float16),
        seen.pitch,
        notes[:, FAMILY].astype(np.int64),
        np.full(len(notes), example),
    )


def load(folder: Path) -> Notes:
    """Return the notes that :func:`collect` stored, with examples numbered anew.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    parts, first = [], 0
    for notes in iterate_files(Notes, folder):
        example = np.unique(notes.example, return_inverse=True)[1] + first
        first = int(example.max()) + 1
        parts.append(notes._replace(example=example))
    return join(parts)


def fit(
    network: TimbreNet, notes: Notes, say: Callable[[str], None], options: FitOptions | None = None
) -> None:
    """Train the network in place, and say after each epoch how it does on the examples held out."""
    options = options or FitOptions()
    torch.manual_seed(options.seed)
    is_held_out = notes.example % HELD_OUT == 0
    learnt, held_out = notes.select(~is_held_out), notes.select(is_held_out)
    tensors = [torch.from_numpy(array) for array in (*learnt[:4], weigh(learnt))]
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=options.weight_decay)
    steps = options.epochs * -(-len(learnt.family) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, steps)
    for epoch in range(options.epochs):
        network.train()
        losses = []
        for rows in torch.split(torch.randperm(len(learnt.family)), BATCH):
            loss = compute_loss(network, *(tensor[rows] for tensor in tensors))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            rate.step()
            losses.append(loss.item())
        network.eval()
        figures = measure(network, held_out) if len(held_out.family) else {}
        shown = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        say(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}; {shown}")


def weigh(notes: Notes) -> NDArray[np.float32]:
    """Return the weight of each note, shape (N,), float32.

    It is ``n ** -0.5`` for n notes of its family in its example, so that these together weigh the
    root of their number.
    """
    track = notes.example * len(FAMILIES) + notes.family
    _, place, count = np.unique(track, return_inverse=True, return_counts=True)
    return np.asarray(count[place] ** -0.5, np.float32)


def compute_loss(
    network: TimbreNet,
    levels: Tensor,
    sounding: Tensor,
    pitch: Tensor,
    family: Tensor,
    weight: Tensor,
) -> Tensor:
    """Return the weighted mean of the cross-entropy, after a random filter on each note."""
    filters = NOISE * torch.randn(len(levels), 1, levels.shape[2])
    odds = network(levels.float() + filters, sounding.float(), pitch)
    loss = F.cross_entropy(odds, family, reduction="none", label_smoothing=SMOOTHING)
    return (weight * loss).sum() / weight.sum()


def measure(network: TimbreNet, notes: Notes) -> Mapping[str, float]:
    """Return the shares of notes, and of tracks, whose family is right.

    A track is what one family plays in an example. Its family is that of the greatest mean log
    probability of its notes. ``mean of ...`` are means over families.
    """
    with torch.inference_mode():
        odds = [
            network(*(torch.from_numpy(array).float() for array in part))
            for part in zip(*(np.array_split(array, -(-len(array) // 1024)) for array in notes[:3]),
                            strict=True)
        ]  # fmt: skip
    rated = torch.log_softmax(torch.cat(odds), 1).numpy()
    right = rated.argmax(1) == notes.family
    tracks: list[tuple[int, bool]] = []
    track = notes.example * len(FAMILIES) + notes.family
    for number in np.unique(track):
        own = track == number
        if own.sum() >= LEAST_NOTES:
            family = int(number) % len(FAMILIES)
            tracks.append((family, bool(rated[own].mean(0).argmax() == family)))
    families, whole = (np.array(values) for values in zip(*tracks, strict=True))
    return {
        "notes": float(right.mean()),
        "mean of notes": _mean_over(notes.family, right),
        "tracks": float(whole.mean()),
        "mean of tracks": _mean_over(families, whole),
    }


def _mean_over(family: NDArray[np.int64], right: NDArray[np.bool_]) -> float:
    return float(np.mean([right[family == own].mean() for own in np.unique(family)]))
