"""``python -m model_zoo.training.trials NAME``; see ``--help``.

Results are stored in the folder as they come, so that an interrupted trial resumes and weights that
were measured are not measured again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model_zoo.training.data import data_folder
from model_zoo.training.trials import architectures, augmentation, noise, repeats, representations

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "var" / "trials"
PLOTS = ROOT / "model_zoo" / "experiments"
WEIGHTS = ROOT / "model_zoo" / "weights" / "tagger.safetensors"
TRIALS = ("repeats", "noise", "representations", "architectures", "augmentation")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.trials")
    parser.add_argument("trial", choices=TRIALS)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the figures")
    parser.add_argument("--plots", type=Path, default=PLOTS)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="weights of the note tagger")
    parser.add_argument(
        "--steps", type=int, default=400, help="training steps of the small networks"
    )
    parser.add_argument("--seeds", type=int, default=1, help="number of networks of each kind")
    parser.add_argument("--kinds", nargs="+", choices=representations.ORDER,
                        default=representations.ORDER, help="kind of spectrogram")  # fmt: skip
    options = parser.parse_args(arguments)
    data, folder, training = options.data, options.folder, (options.steps, options.seeds)
    match options.trial:
        case "repeats":
            repeats.run(folder, options.plots, options.weights, _say)
        case "noise":
            noise.run(data, folder, options.plots, options.weights, _say)
        case "representations":
            representations.run(data, folder, *training, options.kinds, _say)
        case "architectures":
            architectures.run(data, folder, *training, _say)
        case "augmentation":
            augmentation.run(data, folder, *training, _say)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
