"""POP909: piano arrangements of 800 pop songs, played to their beats (Wang et al., ISMIR 2020).

The archive identifies songs by number only. Chords are in Harte's syntax. :mod:`.splits` lists the
songs that are excluded from training.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import mido
import numpy as np

from inference_service.music.events import ChordSegment
from model_zoo.training.sources.midi import read_clock, read_line
from model_zoo.training.sources.piece import MIT, Origin, Piece, Role, count_positions
from model_zoo.training.sources.survey import Entry

_ROLES: Final[dict[str, Role]] = {"MELODY": "melody", "BRIDGE": "inner", "PIANO": "piano"}


def count_songs(archive: Path) -> int:
    """Return the number of songs in POP909's archive."""
    with zipfile.ZipFile(archive) as files:
        return len(_folders(files))


def list_pop909(archive: Path) -> Iterator[Entry]:
    """List the archive's songs."""
    for number in range(1, count_songs(archive) + 1):
        yield Entry(f"pop909/{number:03d}", partial(read_song, archive, number))


def read_song(archive: Path, number: int) -> Piece:
    """Read POP909's song ``number``, 1-based in the archive's order."""
    with zipfile.ZipFile(archive) as files:
        name = _folders(files)[number - 1]
        midi = mido.MidiFile(file=io.BytesIO(files.read(f"{name}/{name}.mid")))
        rows = np.loadtxt(files.read(f"{name}/beat_midi.txt").decode().splitlines(), ndmin=2)
        chords = files.read(f"{name}/chord_midi.txt").decode()
    downbeats = np.flatnonzero(rows[:, 2] > 0)
    bars = Counter(np.diff(downbeats).tolist())
    bar_beats = bars.most_common(1)[0][0] if bars else 4
    seconds = read_clock(midi)
    lines = [
        read_line(track, seconds, _ROLES[track.name])
        for track in midi.tracks
        if track.name in _ROLES
    ]
    return Piece(
        name=f"pop909-{name}",
        lines=tuple(line for line in lines if len(line.notes)),
        beats_s=rows[:, 0],
        positions=count_positions(len(rows), downbeats, int(bar_beats)),
        bar_beats=int(bar_beats),
        chords=_read_chords(chords),
        origin=Origin("pop909", f"pop909 {name}", MIT),
    )


def _read_chords(text: str) -> tuple[ChordSegment, ...]:
    rows = (line.split() for line in text.splitlines())
    return tuple(ChordSegment(float(row[0]), float(row[1]), row[2]) for row in rows if row)


def _folders(files: zipfile.ZipFile) -> list[str]:
    return sorted({entry.split("/")[0] for entry in files.namelist() if "/" in entry})
