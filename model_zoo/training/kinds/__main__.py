"""``python -m model_zoo.training.kinds prepare | train | measure``; see ``--help``."""

from __future__ import annotations

import argparse
import time
from itertools import chain
from pathlib import Path

from inference_service.checkpoint import load_network, save_network
from inference_service.separation.masking import MaskingSeparator
from inference_service.tagger.notes.kinds import KINDS, KindNet
from inference_service.tagger.notes.tagger import load_tagger
from model_zoo.training.data import data_folder
from model_zoo.training.evaluate.systems import TIMBRE
from model_zoo.training.kinds import train

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "var" / "kinds"
TAGGER = ROOT / "model_zoo" / "weights" / "tagger.safetensors"
SEPARATOR = ROOT / "model_zoo" / "weights" / "vocals.safetensors"
TARGET = ROOT / "model_zoo" / "weights" / "kinds.safetensors"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.kinds")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of descriptions")
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="describe recordings and rendered scenes")
    preparing.add_argument("--data", type=Path, default=data_folder())
    preparing.add_argument("--tagger", type=Path, default=TAGGER)
    preparing.add_argument("--what", choices=("recordings", "scenes"), required=True)
    preparing.add_argument("--minutes", type=float, default=30.0, help="for scenes")
    preparing.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of scenes")
    preparing.add_argument("--seed", type=int, default=1)
    training = commands.add_parser("train", help="fit the network to scenes and free recordings")
    training.add_argument("--target", type=Path, default=TARGET)
    commands.add_parser("measure", help="cross-validate between halves of the recordings")
    options = parser.parse_args(arguments)
    if options.command == "prepare":
        _prepare(options)
        return
    examples = list(chain.from_iterable(map(train.load, sorted(options.folder.glob("*.npz")))))
    if options.command == "train":
        network = train.fit(train.select(examples))
        families = load_network(TARGET, KindNet).families
        network.families.load_state_dict(families.state_dict())
        save_network(network, options.target, {"examples": str(len(examples))})
    else:
        train.print_table(train.cross_validate(examples), _say)


def _prepare(options: argparse.Namespace) -> None:
    tagger, network = load_tagger(options.tagger, TIMBRE), load_network(TARGET, KindNet)
    if options.what == "recordings":
        separator = MaskingSeparator.from_file(SEPARATOR)
        stream = train.describe_recordings(options.data, tagger, network, separator)
    else:
        symbolic = options.data / "symbolic"
        stream = train.describe_scenes(symbolic, tagger, network, options.seed, options.kinds)
    name = f"scenes-{options.seed}" if options.what == "scenes" else "recordings"
    stop_s = time.monotonic() + 60 * options.minutes
    examples = []
    for number, example in enumerate(stream, start=1):
        examples.append(example)
        is_last = options.what == "scenes" and time.monotonic() > stop_s
        if is_last or number % 40 == 0:
            _say(f"{number} described")
            train.save(examples, options.folder / f"{name}.npz")
        if is_last:
            break
    train.save(examples, options.folder / f"{name}.npz")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
