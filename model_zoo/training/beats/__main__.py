"""``python -m model_zoo.training.beats prepare|train``; see ``--help`` of each."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from model_zoo.training.beats.prepare import prepare
from model_zoo.training.beats.train import TrainOptions, train

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("NOTABOT_DATA", ROOT.parent / "shared" / "data"))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.beats")
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "beats")
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser("prepare", help="render music and keep its features")
    rendering.add_argument("--data", type=Path, default=DATA, help="with the folder symbolic/")
    rendering.add_argument("--hours", type=float, default=12.0)
    rendering.add_argument("--dev", action="store_true", help="the development part")
    training = commands.add_parser("train", help="learn from what was prepared")
    training.add_argument("--minutes", type=float, default=40.0, help="in all, earlier ones too")
    training.add_argument("--batch", type=int, default=6)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    training.add_argument("--out", type=Path, default=ROOT / "model_zoo/weights/beats.safetensors")
    options = parser.parse_args(arguments)
    if options.command == "prepare":
        prepare(
            options.data / "symbolic",
            options.cache,
            hours=options.hours,
            dev=options.dev,
            say=_say,
        )
    else:
        options.out.parent.mkdir(exist_ok=True)
        choice = TrainOptions(
            options.minutes, options.batch, seed=options.seed, device=options.device
        )
        train(options.cache, options.out, choice, _say)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
