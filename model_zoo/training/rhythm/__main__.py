"""Train the rhythm reader: ``python -m model_zoo.training.rhythm --data DIR --minutes 60``.

``DIR`` holds OpenScore's Lieder and quartets and OpenEWLD as zip files. Running it again goes on
from the folder's checkpoint, to the minutes given in all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from model_zoo.training.rhythm.dataset import load_pieces
from model_zoo.training.rhythm.train import Schedule, train


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        prog="python -m model_zoo.training.rhythm", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the zip files")
    parser.add_argument("--out", type=Path, default=Path("var/training/rhythm"))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    train(
        load_pieces(options.data),
        options.out,
        Schedule(options.minutes),
        seed=options.seed,
        device=options.device,
    )


if __name__ == "__main__":
    main()
