"""Compares architectures over time at like size and cost: convolutions, a GRU, attention."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

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
from model_zoo.training.trials.network import CONTEXTS, Context, TrialNet, count_parameters
from model_zoo.training.trials.report import Figures, Ledger, to_markdown
from model_zoo.training.trials.representations import EXAMS


def run(data: Path, folder: Path, steps: int, seeds: int, say: Callable[[str], None]) -> None:
    """Train and measure what is not yet stored, on variable-Q spectra; print the table."""
    takes, dev = load_material(data / "symbolic", folder, say)
    takes, listed = takes[:TRAIN], list_exams(dev, data)
    ledger = Ledger(folder / "architectures.json")
    known = Ledger(
        folder / "representations.json"
    )  # its networks on variable-Q spectra are the "cnn" ones
    spectra = see("vqt", [take.samples for take in takes], folder / "vqt-train.npz")
    examples, exams = prepare_examples(takes, spectra), prepare_exams("vqt", listed, folder)

    def learn(context: Context, seed: int) -> Figures:
        network, figures = train(examples, context, steps, seed, say)
        return figures | measure(network, exams)

    rows = []
    for context in CONTEXTS:
        runs = []
        for seed in range(seeds):
            kept, name = (known, "vqt") if context == "cnn" else (ledger, context)
            runs.append(kept.get(f"{name} {steps} {seed}", partial(learn, context, seed)))
            say(f"{context}, seed {seed}: {runs[-1]}")
        size = count_parameters(TrialNet(context))
        cells = [summarise(runs, exam) for exam in (*EXAMS, "rendered offsets", "loss")]
        rows.append([context, f"{size:,}", *cells, summarise(runs, "step_s")])
    header = ["context", "parameters", *EXAMS, "rendered, offsets", "loss", "s a step"]
    say("\n" + to_markdown(header, rows))
