"""Groove MIDI: performances on an electronic drum kit to a click (Gillick et al., ICML 2019)."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from model_zoo.training.sources.filters import OTHER_DRUMS
from model_zoo.training.sources.midi import read_line
from model_zoo.training.sources.piece import CC_BY, Origin, Piece, make_line
from model_zoo.training.sources.survey import Entry


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
    name: str = ""


def read_grooves(archive: Path) -> Iterator[Groove]:
    """Read every performance of at least two bars."""
    with zipfile.ZipFile(archive) as files:
        table = io.StringIO(files.read("info.csv").decode())
        for row in csv.DictReader(table):
            beats, unit = (int(part) for part in row["time_signature"].split("-"))
            midi = mido.MidiFile(file=io.BytesIO(files.read(row["midi_filename"])))
            quarters = (np.array([0.0, 1e6]), np.array([0.0, 1e6 / midi.ticks_per_beat]))
            lines = [read_line(track, quarters, "drums").notes for track in midi.tracks]
            hits = np.concatenate(lines)
            if len(hits) and hits[:, 0].max() >= 8.0 * beats / unit:
                yield Groove(hits, float(row["bpm"]), beats, unit, row["style"], row["id"])


def list_grooves(archive: Path) -> Iterator[Entry]:
    """List the archive's performances as pieces."""
    for groove in read_grooves(archive):
        yield Entry(groove.name, partial(alone, groove))


def alone(groove: Groove) -> Piece:
    """Return a groove as a piece for drums alone, at the recorded tempo.

    Raises
    ------
    ValueError
        If its bars do not have two, three or four beats (dotted ones in compound metres).
    """
    compound = groove.beats % 3 == 0 and groove.beats > 3
    beats = groove.beats // 3 if compound else groove.beats
    if beats not in (2, 3, 4):
        raise ValueError("an odd metre")
    beat_q = 4.0 / groove.unit * (3 if compound else 1)
    quarter_s = 60.0 / groove.bpm
    count = int(groove.hits[:, 0].max() / beat_q) + 1
    notes = groove.hits.copy()
    notes[:, :2] *= quarter_s
    notes[:, 0] = np.maximum(notes[:, 0], 0.0)
    notes[:, 1] = np.maximum(notes[:, 1], notes[:, 0] + 0.05)
    notes[:, 2] = [OTHER_DRUMS.get(int(key), key) for key in notes[:, 2]]
    return Piece(
        name=f"groove-{groove.style}-{groove.bpm:g}",
        lines=(make_line("drums", notes),),
        beats_s=np.arange(count, dtype=np.float64) * beat_q * quarter_s,
        positions=np.arange(count) % beats + 1,
        bar_beats=beats,
        compound=int(compound),
        origin=Origin("groove", f"groove {groove.name}", CC_BY),
    )
