"""Groove MIDI: drummers on an electronic kit, to a click (Gillick et al., ICML 2019)."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from model_zoo.training.sources.midi import read_line


@dataclass(frozen=True, slots=True)
class Groove:
    """A drummer's performance to a click, in quarters from the first bar line.

    ``hits`` has shape (N, 4): onset and offset in quarters, General MIDI percussion key, velocity.
    """

    hits: NDArray[np.float64]
    bpm: float
    beats: int
    unit: int
    style: str


def read_grooves(archive: Path) -> Iterator[Groove]:
    """Read every performance of Groove MIDI that lasts two bars and more."""
    with zipfile.ZipFile(archive) as files:
        table = io.StringIO(files.read("info.csv").decode())
        for row in csv.DictReader(table):
            beats, unit = (int(part) for part in row["time_signature"].split("-"))
            midi = mido.MidiFile(file=io.BytesIO(files.read(row["midi_filename"])))
            quarters = (np.array([0.0, 1e6]), np.array([0.0, 1e6 / midi.ticks_per_beat]))
            lines = [read_line(track, quarters, "drums").notes for track in midi.tracks]
            hits = np.concatenate(lines)
            if len(hits) and hits[:, 0].max() >= 8.0 * beats / unit:
                yield Groove(hits, float(row["bpm"]), beats, unit, row["style"])
