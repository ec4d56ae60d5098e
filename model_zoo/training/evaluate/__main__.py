"""``python -m model_zoo.training.evaluate``: measures the note tagger and its peers."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch

from model_zoo.training.data import data_folder
from model_zoo.training.evaluate import report, sets, speed
from model_zoo.training.evaluate.measure import measure
from model_zoo.training.evaluate.systems import (
    OURS,
    PEERS,
    PEERS_OF,
    SEPARATORS,
    SONG_VOCALS,
    Hear,
    keep,
    load_ours,
    load_song_vocals,
)
from model_zoo.training.evaluate.targets import judge, judge_speed

ROOT = Path(__file__).parents[3]
WEIGHTS = ROOT / "model_zoo" / "weights" / "tagger.safetensors"
CACHE = ROOT / "var" / "evaluate"
CLIPS = "piano_dev"
"""The set whose first clip, repeated, is used to measure speed."""

SPEED_PEERS = ("basic-pitch", "swift-f0", "transkun")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m model_zoo.training.evaluate",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"{sets.__doc__}\nThe section 'speed' measures time and memory. "
        "The exit code is 1 if a target is missed.",
    )
    parser.add_argument(
        "sets", nargs="*", metavar="SET", help="sets, or speed; default: all except folders"
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--data", type=Path, default=data_folder(), help="folder that contains the sets"
    )
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, help="instead of the peers of each set"
    )
    parser.add_argument(
        "--separator",
        choices=SEPARATORS,
        default=next(iter(SEPARATORS)),
        help="separator for mixes",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="run peers again, without their cached output"
    )
    parser.add_argument("--json", type=Path, help="file for all figures, with those of each clip")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # mir_eval warns about clips without notes
    ours = load_ours(options.weights, options.device)
    written: dict[str, Any] = {
        "weights": hashlib.sha256(options.weights.read_bytes()).hexdigest(),
        "sets": {},
    }
    missed = 0
    for name in options.sets or (*sets.SETS, speed.SECTION):
        section = _speed if name == speed.SECTION else partial(_set, name, ours)
        try:
            printed, figures = section(options)
        except (FileNotFoundError, ImportError) as error:
            print(f"## {name}\n\nskipped: {error}\n", flush=True)
            continue
        print(printed, flush=True)
        written["sets"][name] = figures
        missed += sum(not target["met"] for target in figures["targets"])
    if options.json:
        options.json.write_text(json.dumps(written, indent=1))
    return 1 if missed else 0


def _set(name: str, ours: Hear, options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the section on a set, as text and as figures."""
    peers = PEERS_OF.get(name, ("basic-pitch",)) if options.peers is None else options.peers
    heard = {OURS: ours}
    if name == sets.MIXES:
        own = load_song_vocals(options.separator, options.device, torch.get_num_threads())
        heard = {SONG_VOCALS: own}
    heard |= {peer: _load_peer(peer, options) for peer in peers}
    measured = measure(name, sets.iterate_clips(name, options.data), heard, _follow)
    verdicts = judge(name, measured.systems)
    return report.format_set(measured, verdicts), report.to_json(measured, verdicts)


def _speed(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the section on speed, as text and as figures."""
    clips = sorted((options.data / CLIPS).glob("*.flac"))
    if not clips:
        raise FileNotFoundError(f"no recordings in {options.data / CLIPS}")
    systems = [OURS, *(SPEED_PEERS if options.peers is None else options.peers)]
    source = options.weights, options.device, clips[0]
    speeds = list(speed.measure_speed(systems, *source))
    agreement = speed.check_agreement(*source)
    results = speeds, agreement, torch.get_num_threads(), judge_speed(speeds, agreement)
    return report.format_speed(*results), report.speed_to_json(*results)


def _load_peer(name: str, options: argparse.Namespace) -> Hear:
    peer = PEERS[name]
    load = partial(peer.load, options.device, torch.get_num_threads())
    return load() if options.no_cache else keep(load, CACHE / f"{name}-{peer.version}")


def _follow(text: str) -> None:
    """Show progress on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
