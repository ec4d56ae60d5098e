"""``python -m model_zoo.training.sound fetch``: downloads banks, soundfonts and drum kits."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_zoo.training.sound import banks, soundfonts
from model_zoo.training.sound.kits import keep_kits
from model_zoo.training.sound.samples import SOUNDS


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.sound")
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="download missing banks, soundfonts and kits")
    fetching.add_argument("--to", type=Path, default=SOUNDS)
    options = parser.parse_args(arguments)
    banks.fetch(options.to, banks.BANKS, print)
    soundfonts.fetch(options.to, print)
    keep_kits(options.to / "kits", print)


if __name__ == "__main__":
    main()
