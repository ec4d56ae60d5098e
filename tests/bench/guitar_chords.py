"""Chords of recorded guitars (guitar_dev), by the networks that are served and by Chordino.

A recording of GuitarSet has two annotations: the chords that the player was given, and those that
were played, which are compared by their roots and triads. A solo over the chords does not sound
them, so recordings of solos are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference_service.audio.decode import AudioLimits, decode
from inference_service.harmony.chordino import ChordinoEstimator
from inference_service.pipeline.stages import ChordEstimator
from inference_service.progress import ignore
from tests.bench.songs import CHORD_FIGURES, load_chords, score_chords
from tests.bench.table import Row

TITLE = "Chords of recorded guitars (guitar_dev)"
FIGURES = ("root", "majmin")


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure every recording of an accompaniment."""
    clips = sorted((data / "guitar_dev").glob("*_comp.jams"))
    if not clips:
        raise FileNotFoundError(f"no accompaniments in {data / 'guitar_dev'}")
    systems: dict[str, ChordEstimator] = {
        "": load_chords(),
        "  chordino, ": ChordinoEstimator(),
    }
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
    for clip in clips:
        sound = clip.with_name(f"{clip.stem}_mic.flac")
        waveform = decode(sound.read_bytes(), AudioLimits(), ignore)
        for name, system in systems.items():
            chords = system.estimate(waveform, ignore)
            truths = read_chords(clip.read_text())
            figures[name] += [score_chords(*truth, chords) for truth in truths]
    for figure in FIGURES:
        for name, scores in figures.items():
            mean = float(np.mean([score[figure] for score in scores]))
            yield Row(f"{name}{CHORD_FIGURES[figure]}, share of the time", mean)


def smoke() -> Iterator[Row]:
    """Read an annotation."""
    chord = {"time": 1.0, "duration": 2.0, "value": "E:min"}
    text = json.dumps({"annotations": [{"namespace": "chord", "data": [chord]}]})
    [(intervals_s, labels)] = read_chords(text)
    yield Row("chords of an annotation", float(labels == ["E:min"] and intervals_s[0, 1] == 3), 1.0)


def read_chords(jams: str) -> list[tuple[np.ndarray, list[str]]]:
    """Return intervals in seconds, shape (K, 2), and labels of each annotation of chords."""
    return [
        (
            np.array([(row["time"], row["time"] + row["duration"]) for row in annotation["data"]]),
            [row["value"] for row in annotation["data"]],
        )
        for annotation in json.loads(jams)["annotations"]
        if annotation["namespace"] == "chord"
    ]
