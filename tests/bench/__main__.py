"""Accuracy and speed, measured against targets and peers.

    python -m tests.bench               every section, on the development recordings
    python -m tests.bench --only voice  one section (may be repeated)
    python -m tests.bench --smoke       seconds, on synthetic sound, without any recording

Prints a table for each section. The exit code is 1 if a target was missed. Recordings are taken
from the folder named by NOTABOT_DATA; a section whose recordings, soundfont or FluidSynth are
missing is skipped with the reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import torch

from tests.bench import (
    corrections,
    device,
    guitar_chords,
    notation,
    pianists,
    piano,
    planned_waits,
    practice,
    practice_page,
    recorded_songs,
    replicas,
    routing,
    song_pages,
    songs,
    speed,
    sung_pages,
    swing,
    voice,
    waits,
)
from tests.bench.table import Row, format_table
from tests.conftest import DATA, ROOT

CACHE = ROOT / "var" / "bench"


class Section(Protocol):
    """The interface of a module with a section."""

    TITLE: str

    def run(self, data: Path, cache: Path) -> Iterator[Row]:
        """Measure on recordings."""
        ...

    def smoke(self) -> Iterator[Row]:
        """Measure on synthetic sound."""
        ...


SECTIONS: dict[str, Section] = {
    "voice": voice,
    "sung-pages": sung_pages,
    "piano": piano,
    "pianists": pianists,
    "songs": songs,
    "guitar-chords": guitar_chords,
    "recorded-songs": recorded_songs,
    "song-pages": song_pages,
    "swing": swing,
    "notation": notation,
    "routing": routing,
    "speed": speed,
    "device": device,
    "waits": waits,
    "planned-waits": planned_waits,
    "replicas": replicas,
    "corrections": corrections,
    "practice": practice,
    "practice-page": practice_page,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--smoke", action="store_true", help="use only synthetic sound")
    parser.add_argument(
        "--only",
        action="append",
        choices=SECTIONS,
        help="measure only this section; may be repeated",
    )
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # deprecations within libraries are of no interest here
    if not options.smoke:  # the smoke run is a test, and shares the cores with others
        torch.set_num_threads(os.cpu_count() or 1)
    missed = 0
    for name in options.only or SECTIONS:
        section = SECTIONS[name]
        try:
            rows = list(section.smoke() if options.smoke else section.run(_find_data(), CACHE))
        except FileNotFoundError as error:
            print(f"## {section.TITLE}\n\nskipped: {error}\n", flush=True)
            continue
        print(format_table(section.TITLE, rows), flush=True)
        missed += sum(not row.met for row in rows)
    if missed:
        print(f"{missed} target{'s' if missed > 1 else ''} missed", file=sys.stderr)
    return 1 if missed else 0


def _find_data() -> Path:
    if not DATA.is_dir():
        raise FileNotFoundError(f"no recordings in {DATA}: NOTABOT_DATA names their folder")
    return DATA


if __name__ == "__main__":
    raise SystemExit(main())
