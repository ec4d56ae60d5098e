"""``python -m model_zoo.training.rhythm notes|bars``; see ``--help`` of each."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from model_zoo.training.rhythm.bars import train_bars
from model_zoo.training.rhythm.dataset import load_pieces
from model_zoo.training.rhythm.train import Schedule, train


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data", type=Path, required=True, help="with openscore_{lieder,quartets}, openewld.zip"
    )
    common.add_argument("--out", type=Path, default=Path("var/training/rhythm"))
    common.add_argument("--seed", type=int, default=0)
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.rhythm")
    commands = parser.add_subparsers(dest="command", required=True)
    reading = commands.add_parser(
        "notes",
        parents=[common],
        help="learn rhythm from performed notes; goes on",
    )
    reading.add_argument("--minutes", type=float, default=90.0, help="in all, earlier ones too")
    reading.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    hearing = commands.add_parser(
        "bars", parents=[common], help="learn bars from written music, on the CPU; begins anew"
    )
    hearing.add_argument("--minutes", type=float, default=20.0)
    options = parser.parse_args(arguments)
    pieces = load_pieces(options.data)
    if options.command == "notes":
        schedule = Schedule(options.minutes)
        train(pieces, options.out, schedule, seed=options.seed, device=options.device)
    else:
        train_bars(pieces, options.out, options.minutes, seed=options.seed)


if __name__ == "__main__":
    main()
