"""``python -m model_zoo.training.sources SOURCE [FOLDER]``: survey what a source yields and why.

SOURCE is a folder of files or the name of a source. Prints counts; nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from model_zoo.training.data import data_folder
from model_zoo.training.sources.catalogue import NAMES, list_folder, list_source
from model_zoo.training.sources.extra import MissingExtra
from model_zoo.training.sources.survey import SurveyReport, sift

ROOT = Path(__file__).parents[3]


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model_zoo.training.sources")
    parser.add_argument("source", help=f"a folder, or one of {', '.join(NAMES)}")
    parser.add_argument("folder", type=Path, nargs="?", help="the folder of a set of recordings")
    parser.add_argument(
        "--data", type=Path, default=data_folder(), help="folder that contains symbolic/"
    )
    parser.add_argument("--limit", type=int, help="maximum number of entries to read")
    parser.add_argument(
        "--free",
        action="store_true",
        help="use only pieces whose licence allows publishing weights",
    )
    parser.add_argument(
        "--list", action="store_true", help="print the name of every piece that is kept"
    )
    options = parser.parse_args(arguments)
    report = SurveyReport()
    try:
        if Path(options.source).is_dir():
            entries = list_folder(Path(options.source))
        else:
            entries = list_source(options.source, options.data / "symbolic", options.folder)
        entries = islice(entries, options.limit)
        for piece in sift(entries, report, only_free=options.free):
            if options.list:
                say(piece.name)
    except (ValueError, OSError, MissingExtra) as error:
        sys.exit(f"{parser.prog}: {error}")
    for line in describe(report):
        say(line)


def describe(report: SurveyReport) -> list[str]:
    """Return the report as lines of text."""
    lines = [f"{report.entries} entries, {report.kept} kept, {report.hours:.1f} h"]
    tables = {
        "left out": report.dropped,
        "parts": report.parts,
        "known": report.marks,
        "lines taken out": report.lines,
        "notes taken out": report.notes,
    }
    for name, table in tables.items():
        if table:
            counts = ", ".join(f"{what} {count}" for what, count in table.most_common())
            lines.append(f"{name}: {counts}")
    return lines


if __name__ == "__main__":
    main()
