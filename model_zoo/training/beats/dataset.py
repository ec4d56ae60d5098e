"""Excerpts of the prepared pieces, augmented at random.

Augmentation works on features (:mod:`inference_service.rhythm.from_sound.features`), whose
``expm1`` are linear magnitudes: gain, an equaliser's curve, a noise floor, a shift along the bins,
masked bands and times, and another tempo by interpolation along time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from model_zoo.training.augmentation import colour

EXCERPT_FRAMES: Final = 1500
STRETCH: Final = (0.82, 1.22)
DRONE_SHARE: Final = 0.03
"""Share of excerpts that hold one frame throughout: where nothing changes there are no beats."""


@dataclass(frozen=True, slots=True)
class Example:
    """A prepared piece: features of shape (F, T), float16; beats in frames, with fractions."""

    name: str
    features: NDArray[np.float16]
    beats: NDArray[np.float64]
    positions: NDArray[np.int64]
    bar_beats: int
    compound: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Excerpts: ``features (B, F, T)``; ``beat``, ``downbeat`` and ``valid`` ``(B, T)``, 0 or 1;
    ``compound (B,)``, 1, 0 or :data:`UNKNOWN`."""

    features: Tensor
    beat: Tensor
    downbeat: Tensor
    valid: Tensor
    compound: Tensor


def load_example(path: Path) -> Example:
    """Read what :mod:`.prepare` wrote."""
    with np.load(path) as kept:
        return Example(
            name=str(kept["name"]),
            features=kept["features"],
            beats=kept["beats_s"].astype(np.float64) * FRAMES_PER_S,
            positions=kept["positions"].astype(np.int64),
            bar_beats=int(kept["bar_beats"]),
            compound=int(kept["compound"]),
        )


class Pool:
    """The examples in a folder, to which :mod:`.prepare` may add while training runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.examples: list[Example] = []
        self._known: set[str] = set()

    def refresh(self) -> None:
        """Load the examples that were added."""
        for path in sorted(self.folder.glob("*.npz")):
            if path.name not in self._known:
                self._known.add(path.name)
                self.examples.append(load_example(path))

    @property
    def hours(self) -> float:
        """Hours of sound."""
        frames = sum(len(example.features.T) for example in self.examples)
        return frames / FRAMES_PER_S / 3600

    def draw_batch(self, size: int, random: Generator) -> Batch:
        """Draw augmented excerpts, of different pieces if there are enough."""
        chosen = random.choice(len(self.examples), size, replace=len(self.examples) < size)
        excerpts = [_excerpt(self.examples[int(index)], random) for index in chosen]
        features, beat, downbeat, valid = (
            torch.from_numpy(np.stack([excerpt[k] for excerpt in excerpts])) for k in range(4)
        )
        compound = torch.tensor([self.examples[int(i)].compound for i in chosen])
        return Batch(features, beat, downbeat, valid, compound)


def _excerpt(example: Example, random: Generator) -> tuple[NDArray[np.float32], ...]:
    stretch = float(random.uniform(*STRETCH)) if random.random() < 0.5 else 1.0
    wanted = int(EXCERPT_FRAMES * stretch)
    total = example.features.shape[1]
    start = int(random.integers(0, max(total - wanted, 0) + 1))
    piece = example.features[:, start : start + wanted].astype(np.float32)
    if stretch != 1.0:
        piece = _resample_time(piece, int(piece.shape[1] / stretch))
    if random.random() < DRONE_SHARE:
        return _drone(piece, random)
    held = min(piece.shape[1], EXCERPT_FRAMES)
    features = np.zeros((len(piece), EXCERPT_FRAMES), np.float32)
    features[:, :held] = _augment(piece[:, :held], random)
    frames = np.rint((example.beats - start) / stretch).astype(int)
    inside = (frames >= 0) & (frames < held)
    beat = np.zeros(EXCERPT_FRAMES, np.float32)
    downbeat, valid = beat.copy(), beat.copy()
    beat[frames[inside]] = 1.0
    downbeat[frames[inside & (example.positions == 1)]] = 1.0
    # Before the first beat and after the last one there are no labels.
    first, last = frames[0] - 10, frames[-1] + 10
    valid[max(first, 0) : max(min(last, held), 0)] = 1.0
    return features, beat, downbeat, valid


def _drone(piece: NDArray[np.float32], random: Generator) -> tuple[NDArray[np.float32], ...]:
    moment = piece[:, [int(random.integers(piece.shape[1]))]]
    features = _augment(np.repeat(moment, EXCERPT_FRAMES, axis=1), random)
    nothing = np.zeros(EXCERPT_FRAMES, np.float32)
    return features, nothing, nothing, np.ones(EXCERPT_FRAMES, np.float32)


def _resample_time(features: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    places = np.linspace(0, features.shape[1] - 1, length)
    left = np.minimum(places.astype(int), features.shape[1] - 2)
    share = (places - left).astype(np.float32)
    resampled: NDArray[np.float32] = features[:, left] * (1 - share) + features[:, left + 1] * share
    return resampled


def _augment(features: NDArray[np.float32], random: Generator) -> NDArray[np.float32]:
    bins, frames = features.shape
    if random.random() < 0.4:
        shift = int(random.integers(-4, 5))
        moved = np.zeros_like(features)
        if shift >= 0:
            moved[shift:] = features[: bins - shift]
        else:
            moved[:shift] = features[-shift:]
        features = moved
    augmented = colour(features, random, curve_db=9.0, level_db=8.0)
    if random.random() < 0.3:
        width = int(random.integers(6, 24))
        first = int(random.integers(0, bins - width))
        augmented[first : first + width] = 0.0
    if random.random() < 0.2:
        width = int(random.integers(10, 75))
        begin = int(random.integers(0, max(frames - width, 1)))
        augmented[:, begin : begin + width] = 0.0
    return augmented
