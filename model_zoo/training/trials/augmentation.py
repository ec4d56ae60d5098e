"""Measures each kind of damage to the examples: all kinds but one, all, and none.

Each example is damaged once and stays so for the whole run. Every kind draws from a generator of
its own, so that leaving one out changes nothing else. A quarter of the examples stays clean, as in
the note tagger's training. Detuning belongs to the cutting of examples and is in all runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.damage import PROBABILITIES, Step, degrade
from model_zoo.training.tagger.dataset import CLEAN_SHARE
from model_zoo.training.tagger.take import Take
from model_zoo.training.trials.harness import (
    TRAIN,
    list_exams,
    measure,
    prepare_examples,
    prepare_exams,
    see,
    summarise,
    train,
)
from model_zoo.training.trials.material import load_material
from model_zoo.training.trials.report import Figures, Ledger, to_markdown
from model_zoo.training.trials.representations import EXAMS

GROUPS: Final[dict[str, tuple[Step, ...]]] = {
    "room and microphone": ("room", "microphone"),
    "noise, crowd, hum": ("noise", "crowd", "hum"),
    "equaliser": ("equaliser",),
    "compression, overload": ("compression", "overload"),
    "wow": ("wow",),
    "telephone, codec": ("telephone", "codec"),
}
RUNS: Final[dict[str, tuple[Step, ...]]] = {
    "all": (),
    "none": tuple(PROBABILITIES),
    **{f"all but {name}": steps for name, steps in GROUPS.items()},
}
SEED: Final = 5


def run(data: Path, folder: Path, steps: int, seeds: int, say: Callable[[str], None]) -> None:
    """Train and measure what is not yet stored; print the table.

    Each seed goes through all runs before the next, so that partial results compare them all.
    """
    takes, dev = load_material(data / "symbolic", folder, say)
    takes, listed = takes[:TRAIN], list_exams(dev, data)
    ledger = Ledger(folder / "augmentation.json")
    exams = prepare_exams("vqt", listed, folder)

    def learn(name: str, seed: int) -> Figures:
        sounds = damage(takes, RUNS[name])
        kept = folder / f"vqt-{name.replace(', ', '-').replace(' ', '-')}.npz"
        network, figures = train(
            prepare_examples(takes, see("vqt", sounds, kept)), "cnn", steps, seed, say
        )
        return figures | measure(network, exams)

    runs: dict[str, list[Figures]] = {name: [] for name in RUNS}
    for seed in range(seeds):
        for name in RUNS:
            key = f"{name} {steps} {seed}"
            runs[name].append(ledger.get(key, partial(learn, name, seed)))
            say(f"{key}: {runs[name][-1]}")
    rows = [
        [name, *(summarise(own, exam) for exam in EXAMS), summarise(own, "piano offsets")]
        for name, own in runs.items()
    ]
    say("\n" + to_markdown(["damage", *EXAMS, "piano, offsets"], rows))


def damage(takes: Sequence[Take], without: Collection[Step]) -> list[Samples]:
    """Return the samples of takes, most of them damaged, at their former loudness."""
    sounds = []
    for number, take in enumerate(takes):
        random = np.random.default_rng((SEED, number))
        damaged = take.samples
        if random.random() >= CLEAN_SHARE and set(without) != set(PROBABILITIES):
            damaged = degrade(take.samples, random, without=without)
        gain = _level(take.samples) / max(_level(damaged), 1e-6)
        sounds.append(np.asarray(damaged * np.float32(gain), np.float32))
    return sounds


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
