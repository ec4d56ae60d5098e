"""``python -m model_zoo.training.harmony learn``: the prior of chords; see ``--help``."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_zoo.training.data import data_folder
from model_zoo.training.harmony.pieces import read_pieces
from model_zoo.training.harmony.prior import learn_prior
from model_zoo.training.harmony.weights import fit, gather, measure_folds

ROOT = Path(__file__).parents[3]
PRIOR = ROOT / "model_zoo" / "weights" / "chords.safetensors"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.harmony")
    parser.add_argument(
        "--data", type=Path, default=data_folder(), help="folder that contains symbolic/"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    learning = commands.add_parser("learn", help="count chords in keys")
    learning.add_argument("--target", type=Path, default=PRIOR)
    commands.add_parser("weights", help="fit the weights of notes and chords, and measure keys")
    options = parser.parse_args(arguments)
    pieces = list(read_pieces(options.data / "symbolic"))
    if options.command == "learn":
        learn_prior(pieces).save(options.target, {"pieces": str(len(pieces))})
    else:
        folds = gather(pieces)
        print(measure_folds(folds))
        print("weights:", fit([example for fold in folds for example in fold]).round(2))


if __name__ == "__main__":
    main()
