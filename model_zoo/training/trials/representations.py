"""Compares spectrograms: note F1 of equal networks, and the cost of computing each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

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
from model_zoo.training.trials.spectra import Kind, measure_cost

ORDER: Final[tuple[Kind, ...]] = ("vqt", "stft", "mel", "gammatone", "cqt", "cwt")
"""Spectrograms in the order of cost."""

EXAMS: Final = ("rendered", "piano", "voice", "guitar")


def run(
    data: Path,
    folder: Path,
    steps: int,
    seeds: int,
    kinds: Sequence[Kind],
    say: Callable[[str], None],
) -> None:
    """Train and measure what is not yet stored; print the table."""
    takes, dev = load_material(data / "symbolic", folder, say)
    takes, listed = takes[:TRAIN], list_exams(dev, data)
    ledger = Ledger(folder / "representations.json")

    def learn(kind: Kind, seed: int) -> Figures:
        spectra = see(kind, [take.samples for take in takes], folder / f"{kind}-train.npz")
        exams = prepare_exams(kind, listed, folder)
        network, figures = train(prepare_examples(takes, spectra), "cnn", steps, seed, say)
        return figures | measure(network, exams)

    def time_once(kind: Kind) -> Figures:
        return {"rtf": measure_cost(kind, dev[0].samples)}

    rows = []
    for kind in kinds:
        cost = ledger.get(f"{kind} cost", partial(time_once, kind))
        runs = []
        for seed in range(seeds):
            runs.append(ledger.get(f"{kind} {steps} {seed}", partial(learn, kind, seed)))
            say(f"{kind} seed {seed}: {runs[-1]}")
        cells = [summarise(runs, exam) for exam in EXAMS]
        rows.append([kind, *cells, summarise(runs, "loss"), f"{cost['rtf']:.4f}"])
    say("\n" + to_markdown(["spectrogram", *EXAMS, "loss", "s of a core a second"], rows))
