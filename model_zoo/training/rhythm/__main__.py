"""``python -m model_zoo.training.rhythm notes | bars | melodies``; see ``--help`` of each."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_zoo.training.loop import add_arguments, read_arguments
from model_zoo.training.rhythm import bars, melodies, notes
from model_zoo.training.rhythm.barred import load_melodies
from model_zoo.training.rhythm.corpora import load_pieces


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder with openscore_{lieder,quartets}, openewld, open_hymnal.zip; for melodies,"
        " also polish_scores, chopin_first_editions, mutopia, pop909.zip if they are there",
    )
    common.add_argument(
        "--out", type=Path, default=Path("var/training"), help="folder of the outputs"
    )
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.rhythm")
    commands = parser.add_subparsers(dest="command", required=True)
    reading = commands.add_parser(
        "notes", parents=[common], help="train the score network on performed notes"
    )
    add_arguments(reading, notes.OPTIONS)
    hearing = commands.add_parser(
        "bars", parents=[common], help="train the bar network on written music"
    )
    add_arguments(hearing, bars.OPTIONS)
    singing = commands.add_parser(
        "melodies", parents=[common], help="train the network for bars of melodies on scores"
    )
    add_arguments(singing, melodies.OPTIONS)
    options = parser.parse_args(arguments)
    folder = options.out / options.command
    match options.command:
        case "notes":
            pieces = load_pieces(options.data)
            notes.train_notes(pieces, folder, read_arguments(options, notes.OPTIONS), _say)
        case "bars":
            pieces = load_pieces(options.data)
            bars.train_bars(pieces, folder, read_arguments(options, bars.OPTIONS), _say)
        case "melodies":
            training = read_arguments(options, melodies.OPTIONS)
            melodies.train_melodies(load_melodies(options.data), folder, training, _say)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
