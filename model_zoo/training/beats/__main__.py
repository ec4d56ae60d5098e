"""``python -m model_zoo.training.beats prepare|train|fit``; see ``--help`` of each."""

from __future__ import annotations

import argparse
from pathlib import Path

from inference_service.checkpoint import load_network
from inference_service.rhythm.from_sound.network import BeatNet
from inference_service.rhythm.from_sound.reading_model import save_model
from model_zoo.training.beats.prepare import prepare
from model_zoo.training.beats.readings import fit_folder
from model_zoo.training.beats.train import OPTIONS, train
from model_zoo.training.data import data_folder
from model_zoo.training.loop import add_arguments, read_arguments

ROOT = Path(__file__).parents[3]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.beats")
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "beats")
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser("prepare", help="render music and store its features")
    rendering.add_argument(
        "--data", type=Path, default=data_folder(), help="folder that contains symbolic/"
    )
    rendering.add_argument("--hours", type=float, default=12.0)
    rendering.add_argument("--dev", action="store_true", help="prepare the development part")
    training = commands.add_parser("train", help="train on prepared music")
    add_arguments(training, OPTIONS)
    fitting = commands.add_parser("fit", help="fit the comparison of readings to trained weights")
    fitting.add_argument("--weights", type=Path, help="default: beats.safetensors in the cache")
    options = parser.parse_args(arguments)
    if options.command == "prepare":
        prepare(
            options.data / "symbolic",
            options.cache,
            hours=options.hours,
            dev=options.dev,
            say=_say,
        )
    elif options.command == "fit":
        weights = options.weights or options.cache / "beats.safetensors"
        model = fit_folder(options.cache, load_network(weights, BeatNet), _say)
        save_model(model, options.cache / "readings.json")
    else:
        train(options.cache, read_arguments(options, OPTIONS), _say)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
