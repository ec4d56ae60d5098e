"""``python -m model_zoo.training.singing COMMAND``; see ``--help``."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_zoo.training.data import data_folder
from model_zoo.training.evaluate.sets import iterate_clips
from model_zoo.training.loop import add_arguments, read_arguments
from model_zoo.training.singing.dataset import load_melodies
from model_zoo.training.singing.export import export
from model_zoo.training.singing.keys import judge_melodies, write_table
from model_zoo.training.singing.prepare import prepare
from model_zoo.training.singing.prior import iterate_melodies, learn_prior
from model_zoo.training.singing.recordings import hear, take_first_half
from model_zoo.training.singing.train import OPTIONS, train

ROOT = Path(__file__).parents[3]
CACHE = ROOT / "var" / "sung"
WEIGHTS = ROOT / "model_zoo" / "weights" / "singing.safetensors"
PRIOR = ROOT / "model_zoo" / "weights" / "melody.safetensors"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.singing")
    parser.add_argument(
        "--data", type=Path, default=data_folder(), help="folder that contains symbolic/"
    )
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="folder of prepared data and weights"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="render melodies to learn from")
    preparing.add_argument("--hours", type=float, default=12.0)
    preparing.add_argument("--dev", action="store_true", help="prepare the development part")
    training = commands.add_parser("train", help="train on prepared melodies")
    add_arguments(training, OPTIONS)
    exporting = commands.add_parser(
        "export", help="convert trained weights to float16, and choose the costs of notes"
    )
    exporting.add_argument("--trained", type=Path, help="default: in the cache")
    exporting.add_argument("--target", type=Path, default=WEIGHTS)
    exporting.add_argument(
        "--recordings",
        metavar="SET",
        help="set on whose first half costs are chosen; default: prepared melodies",
    )
    counting = commands.add_parser("prior", help="count the steps of melodies in scores")
    counting.add_argument("--target", type=Path, default=PRIOR)
    commands.add_parser("keys", help="measure how probable estimated keys of melodies are")
    options = parser.parse_args(arguments)
    match options.command:
        case "prepare":
            symbolic = options.data / "symbolic"
            prepare(symbolic, options.cache, hours=options.hours, dev=options.dev, say=_say)
        case "train":
            train(options.cache, options.cache, read_arguments(options, OPTIONS), _say)
        case "export":
            trained = options.trained or options.cache / "singing.safetensors"
            if options.recordings:
                clips = iterate_clips(options.recordings, options.data)
                melodies = hear(take_first_half(clips))
            else:
                melodies = load_melodies(options.cache / "dev")
            export(trained, options.target, melodies, _say)
        case "prior":
            melodies_in_key = list(iterate_melodies(options.data / "symbolic"))
            facts = {"melodies": str(len(melodies_in_key))}
            learn_prior(melodies_in_key).save(options.target, facts)
        case "keys":
            _say(write_table(list(judge_melodies(options.data / "symbolic", PRIOR))))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
