"""Make the pictures of docs/gallery/before-after.md: pages by older code, and by this.

    python -m deploy.before_after                every picture of both
    python -m deploy.before_after --only after   those of this code
    python -m deploy.before_after waltz swing    these examples

``before`` is the last commit before pitches were written as they were meant; it is checked out
beside this checkout and run by the same interpreter. Recordings are made once, in ``var``. The two
guitar recordings are read from NOTABOT_DATA and left out where they are absent.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from deploy.before_after_music import record
from model_zoo.training.data import data_folder

ROOT: Final = Path(__file__).resolve().parents[1]
BEFORE_COMMIT: Final = "db232186b06abf3946a91fdd802d75c641fcacb7"
TARGET: Final = ROOT / "docs" / "gallery" / "before-after"
WORK: Final = ROOT / "var" / "before-after"
WIDTH_PX: Final = 840
LONGEST_PX: Final = 900
"""Pages are cut after the system that begins before this height."""
GREYS: Final = 8


@dataclass(frozen=True, slots=True)
class Example:
    """A recording, and how it is transcribed."""

    name: str
    title: str
    preset: str
    view: str
    file: str = ""
    """Path in NOTABOT_DATA; empty for recordings made here."""


EXAMPLES: Final = (
    Example("guitar-chords", "Guitar, chords", "auto", "full",
            "guitar_dev/00_BN1-129-Eb_comp_mic.flac"),
    Example("guitar-solo", "Guitar, solo", "auto", "full",
            "guitar_dev/00_BN1-129-Eb_solo_mic.flac"),
    Example("sung-sharp", "Ode to Joy", "voice", "melody"),
    Example("sung-pauses", "Auld Lang Syne", "voice", "melody"),
    Example("sung-flat", "Greensleeves", "voice", "melody"),
    Example("waltz", "O du lieber Augustin", "piano", "full"),
    Example("six-eight", "The Irish Washerwoman", "piano", "full"),
    Example("swing", "When the Saints Go Marching In", "song", "full"),
    Example("pop", "A pop song", "song", "melody"),
    Example("band", "A pop song", "song", "full"),
    Example("quartet", "Old Hundredth", "auto", "full"),
    Example("violin", "J. S. Bach, Double of the Bourrée", "auto", "full",
            "solo_dev/john-garner_bwv1002_mov8.opus"),
)  # fmt: skip


def check_out(commit: str) -> Path:
    """Return a checkout of a commit, made if it is not there.

    Raises
    ------
    subprocess.CalledProcessError
        If the repository has no such commit.
    """
    folder = WORK / "code"
    if not folder.exists():
        git = ["git", "-C", str(ROOT)]
        subprocess.run([*git, "worktree", "prune"], check=True)
        subprocess.run([*git, "worktree", "add", "--detach", str(folder), commit], check=True)
    return folder


def find_recording(example: Example) -> Path | None:
    """Return the recording of an example; None if it is absent."""
    if example.file:
        path = data_folder() / example.file
        return path if path.exists() else None
    path = WORK / f"{example.name}.wav"
    record(example.name, path)
    return path


def transcribe(code: Path, state: str, recordings: Sequence[tuple[Example, Path]]) -> None:
    """Write the pages of recordings by a checkout, in one process, as models load slowly."""
    commands = [
        ["transcribe", str(recording), "--preset", example.preset, "--view", example.view,
         "--formats", "png", "--title", example.title, "--out", str(_folder(example, state))]
        for example, recording in recordings
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": f"{code}:{code / 'proto'}"}
    subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps(commands)], cwd=code, env=environment, check=True
    )


_RUN: Final = """
import json, sys
from inference_service.cli import main
sys.exit(max(main(command) for command in json.loads(sys.argv[1])))
"""


def _folder(example: Example, state: str) -> Path:
    return WORK / example.name / state


def shrink(page: Path, target: Path) -> None:
    """Save a page as a small picture: grey, without its margins, cut between two systems."""
    picture = Image.open(page).convert("L")
    inked = ImageOps.invert(picture).getbbox() or (0, 0, *picture.size)
    picture = picture.crop((0, max(inked[1] - 20, 0), picture.width, inked[3] + 20))
    height = round(picture.height * WIDTH_PX / picture.width)
    picture = picture.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    picture = picture.crop((0, 0, WIDTH_PX, _find_cut(picture)))
    picture.quantize(GREYS).save(target, optimize=True)


def _find_cut(picture: Image.Image) -> int:
    """Return the height of the picture, or of the last blank row before :data:`LONGEST_PX`."""
    if picture.height <= LONGEST_PX:
        return picture.height
    rows = picture.resize((1, picture.height), Image.Resampling.BOX).tobytes()
    blank = [row for row in range(200, LONGEST_PX) if rows[row] == max(rows)]
    return max(blank, default=LONGEST_PX)


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="EXAMPLE")
    parser.add_argument("--only", choices=("before", "after"))
    options = parser.parse_args()
    for folder in (TARGET, WORK):
        folder.mkdir(parents=True, exist_ok=True)
    recordings = []
    for example in EXAMPLES:
        if options.names and example.name not in options.names:
            continue
        recording = find_recording(example)
        if recording is None:
            print(f"{example.name}: skipped, as {example.file} is not in NOTABOT_DATA")
        else:
            recordings.append((example, recording))
    for state in ("before", "after"):
        if options.only not in (None, state):
            continue
        transcribe(check_out(BEFORE_COMMIT) if state == "before" else ROOT, state, recordings)
        for example, _ in recordings:
            picture = TARGET / f"{example.name}-{state}.png"
            shrink(_folder(example, state) / "score-1.png", picture)
            print(picture.relative_to(ROOT), picture.stat().st_size)


if __name__ == "__main__":
    main()
