"""``python -m model_zoo.training.separation render | train | export | evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from inference_service.checkpoint import load_network, read_metadata, save_network
from inference_service.separation.classical import RepetSimSeparator
from inference_service.separation.mask_network import MaskNet
from inference_service.separation.masking import MaskingSeparator
from model_zoo.training.data import data_folder
from model_zoo.training.loop import add_arguments, read_arguments
from model_zoo.training.separation.evaluate import (
    evaluate,
    format_table,
    halve,
    silently,
    take_percussive,
)
from model_zoo.training.separation.recordings import iterate_held_back, load_recordings
from model_zoo.training.separation.rendered import write_songs
from model_zoo.training.separation.train import OPTIONS, train

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "var" / "separation"
RENDERED = FOLDER / "rendered"
WEIGHTS = ROOT / "model_zoo" / "weights" / "vocals.safetensors"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.separation")
    parser.add_argument(
        "--data", type=Path, default=data_folder(), help="folder with stems_dev and karaoke_train"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser("render", help="render songs for training; 3 s each")
    rendering.add_argument("--count", type=int, default=150)
    rendering.add_argument("--seed", type=int, default=0)
    training = commands.add_parser("train", help="train on mixes of recordings")
    training.add_argument("--folder", type=Path, default=FOLDER)
    add_arguments(training, OPTIONS)
    exporting = commands.add_parser("export", help="convert trained weights to float16")
    exporting.add_argument("--trained", type=Path, default=FOLDER / "separator.safetensors")
    exporting.add_argument("--target", type=Path, default=WEIGHTS)
    measuring = commands.add_parser("evaluate", help="compare with peers on held-out excerpts")
    measuring.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    match options.command:
        case "render":
            write_songs(options.data / "symbolic", RENDERED, options.count, options.seed, _say)
        case "train":
            recordings = load_recordings(options.data, RENDERED, _say)
            train(recordings, options.folder, read_arguments(options, OPTIONS), _say)
        case "export":
            metadata = read_metadata(options.trained)
            save_network(
                load_network(options.trained, MaskNet), options.target, metadata, torch.float16
            )
        case "evaluate":
            separators = {
                "notabot-vocals": silently(MaskingSeparator.from_file(options.weights)),
                "repet-sim": silently(RepetSimSeparator()),
                "HPSS": take_percussive,
                "half the mixture": halve,
            }
            _say(format_table(evaluate(iterate_held_back(options.data), separators)))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
