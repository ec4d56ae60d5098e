"""``python -m model_zoo.training.tagger train | families | timbre | export | sample``.

See ``--help``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from inference_service.checkpoint import load_network, read_metadata, save_network
from inference_service.tagger.notes.network import NoteNet
from inference_service.tagger.notes.timbre import TimbreNet
from model_zoo.training.data import data_folder
from model_zoo.training.loop import add_arguments, read_arguments
from model_zoo.training.tagger import families, timbre
from model_zoo.training.tagger.dataset import ExampleOptions
from model_zoo.training.tagger.export import EXAMPLES, export
from model_zoo.training.tagger.sample import write_samples
from model_zoo.training.tagger.scene import COMPOSERS
from model_zoo.training.tagger.train import OPTIONS, train

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "var" / "tagger"
WEIGHTS = ROOT / "model_zoo" / "weights" / "tagger.safetensors"
TIMBRE = WEIGHTS.with_name("timbre.safetensors")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.tagger")
    parser.add_argument(
        "--data", type=Path, default=data_folder(), help="folder that contains symbolic/"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train on rendered music")
    training.add_argument("--folder", type=Path, default=FOLDER)
    add_arguments(training, OPTIONS)
    training.add_argument("--workers", type=int, default=1)
    training.add_argument("--compiled", action="store_true")
    training.add_argument(
        "--midi",
        type=Path,
        nargs="*",
        default=[],
        help="further folders of MIDI and Guitar Pro files",
    )
    telling = commands.add_parser("families", help="train only the head of families")
    telling.add_argument("--folder", type=Path, default=FOLDER / "families")
    telling.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="exported weights, changed in place"
    )
    telling.add_argument(
        "--minutes", type=float, default=60.0, help="minutes of computing features; 0: only train"
    )
    telling.add_argument("--workers", type=int, default=2)
    telling.add_argument("--seed", type=int, default=0)
    seeing = commands.add_parser(
        "timbre", help="train the network that tells families apart by the partials of notes"
    )
    seeing.add_argument("--folder", type=Path, default=FOLDER / "timbre")
    seeing.add_argument("--target", type=Path, default=TIMBRE)
    seeing.add_argument(
        "--minutes", type=float, default=60.0, help="minutes of rendering; 0: only train"
    )
    seeing.add_argument("--workers", type=int, default=2)
    seeing.add_argument("--seed", type=int, default=0)
    exporting = commands.add_parser(
        "export", help="convert trained weights to float16, and choose thresholds"
    )
    exporting.add_argument("--trained", type=Path, default=FOLDER / "tagger.safetensors")
    exporting.add_argument("--target", type=Path, default=WEIGHTS)
    exporting.add_argument("--examples", type=int, default=EXAMPLES)
    sampling = commands.add_parser(
        "sample", help="write a training example: sound, labels and picture"
    )
    sampling.add_argument("--folder", type=Path, default=ROOT / "out" / "samples")
    sampling.add_argument("--count", type=int, default=6)
    sampling.add_argument("--seed", type=int, default=0)
    sampling.add_argument("--kind", choices=COMPOSERS, help="kind of scene; default: random")
    sampling.add_argument("--clean", action="store_true", help="without degradation")
    options = parser.parse_args(arguments)
    symbolic = options.data / "symbolic"
    match options.command:
        case "train":
            train(
                symbolic,
                options.folder,
                read_arguments(options, OPTIONS),
                _say,
                examples=ExampleOptions(folders=tuple(options.midi)),
                workers=options.workers,
                compiled=options.compiled,
            )
        case "families":
            network = load_network(options.weights, NoteNet)
            listening = (options.minutes, options.workers, options.seed)
            families.collect(symbolic, options.folder, network, *listening, _say)
            families.fit(network, families.load(options.folder), _say)
            metadata = read_metadata(options.weights)
            save_network(network, options.weights, metadata, torch.float16)
        case "timbre":
            rater = TimbreNet()
            if options.minutes > 0:
                rendering = (options.minutes, options.workers, options.seed)
                timbre.collect(symbolic, options.folder, rater, *rendering, _say)
            notes = timbre.load(options.folder)
            timbre.fit(rater, notes, _say)
            examples = int(notes.example.max()) + 1
            learnt = {"examples": str(examples), "notes": str(len(notes.family))}
            save_network(rater, options.target, learnt, torch.float16)
        case "export":
            export(options.trained, options.target, symbolic, _say, options.examples)
        case "sample":
            asked = (options.count, options.seed, options.kind)
            for path in write_samples(symbolic, options.folder, *asked, damage=not options.clean):
                _say(str(path))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
