"""A fixed set of dry examples, rendered once, which every trial trains and is measured on.

Stored in a folder as ``train.npz`` and ``dev.npz``: samples as float16, and concatenated labels
with their counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from model_zoo.training.beats.prepare import load_corpora
from model_zoo.training.tagger.dataset import (
    ExampleOptions,
    make_example,
    make_examples,
    render_take,
)
from model_zoo.training.tagger.take import Take

TRAIN: Final = 480
DEV: Final = 60
SEED: Final = 30_000_000
DRY: Final = ExampleOptions(length_s=4.8, damage=False)


def load_material(
    symbolic: Path, folder: Path, say: Callable[[str], None]
) -> tuple[list[Take], list[Take]]:
    """Return the training and the development examples, rendered if they are not stored yet."""
    train, dev = folder / "train.npz", folder / "dev.npz"
    if not dev.exists():
        random = np.random.default_rng(SEED + 1)
        corpora = load_corpora(symbolic, dev=True)
        save_takes(
            [make_example(render_take(corpora, random), random, DRY) for _ in range(DEV)], dev
        )
        say(f"rendered {DEV} development examples")
    if not train.exists():
        random = np.random.default_rng(SEED)
        corpora = load_corpora(symbolic, dev=False)
        save_takes(list(islice(make_examples(corpora, random, DRY), TRAIN)), train)
        say(f"rendered {TRAIN} training examples")
    return load_takes(train), load_takes(dev)


def save_takes(takes: Sequence[Take], path: Path) -> None:
    """Write takes of equal length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        samples=np.stack([take.samples for take in takes]).astype(np.float16),
        notes=np.concatenate([take.notes for take in takes]),
        note_counts=np.array([len(take.notes) for take in takes]),
        drums=np.concatenate([take.drums for take in takes]),
        drum_counts=np.array([len(take.drums) for take in takes]),
    )
    partial.rename(path)


def load_takes(path: Path) -> list[Take]:
    """Read what :func:`save_takes` wrote."""
    with np.load(path) as kept:
        samples = kept["samples"].astype(np.float32)
        notes = np.split(kept["notes"], np.cumsum(kept["note_counts"])[:-1])
        drums = np.split(kept["drums"], np.cumsum(kept["drum_counts"])[:-1])
    return [Take(*parts) for parts in zip(samples, notes, drums, strict=True)]
