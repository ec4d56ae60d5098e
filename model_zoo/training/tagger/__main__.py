"""``python -m model_zoo.training.tagger train``; see ``--help`` of each command."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from model_zoo.training.tagger.train import TrainOptions, train

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("NOTABOT_DATA", ROOT.parent / "shared" / "data"))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.tagger")
    parser.add_argument("--data", type=Path, default=DATA, help="with the folder symbolic/")
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="render music and learn from it")
    training.add_argument("--folder", type=Path, default=ROOT / "var" / "tagger")
    training.add_argument("--minutes", type=float, default=120.0, help="in all, earlier ones too")
    training.add_argument("--batch", type=int, default=4)
    training.add_argument("--workers", type=int, default=1)
    training.add_argument("--rate", type=float, default=2e-3)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--report", type=float, default=300.0, help="seconds between reports")
    training.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    training.add_argument("--compiled", action="store_true")
    options = parser.parse_args(arguments)
    choice = TrainOptions(
        minutes=options.minutes,
        batch=options.batch,
        workers=options.workers,
        learning_rate=options.rate,
        seed=options.seed,
        device=options.device,
        compiled=options.compiled,
        report_every_s=options.report,
    )
    train(options.data / "symbolic", options.folder, choice, _say)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
