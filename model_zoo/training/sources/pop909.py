"""POP909: piano arrangements of 800 pop songs, played to their beats (Wang et al., ISMIR 2020).

The archive identifies songs by number only. Chords are in Harte's syntax. In one song of five, the
bars of the MIDI file begin a beat or two away from those of the original recording; the latter's
(``beat_audio.txt``) are used. :mod:`.splits` lists the songs that are excluded from training.
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
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment
from model_zoo.training.sources.midi import read_clock, read_line
from model_zoo.training.sources.piece import MIT, Origin, Piece, Role, count_positions
from model_zoo.training.sources.survey import Entry

_ROLES: Final[dict[str, Role]] = {"MELODY": "melody", "BRIDGE": "inner", "PIANO": "piano"}
LEVEL_TOLERANCE: Final = 0.1
"""Relative difference of beat intervals that are of the same metrical level."""


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
        recorded = np.loadtxt(files.read(f"{name}/beat_audio.txt").decode().splitlines(), ndmin=2)
    downbeats, bar_beats = count_bars(rows, recorded)
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
        positions=count_positions(len(rows), downbeats, bar_beats),
        bar_beats=bar_beats,
        chords=_read_chords(chords),
        origin=Origin("pop909", f"pop909 {name}", MIT),
    )


def count_bars(
    written: NDArray[np.float64], recorded: NDArray[np.float64]
) -> tuple[NDArray[np.intp], int]:
    """Return the indices of the downbeats among the beats of a MIDI file, and the beats of a bar.

    Bars have the length and the phase of the recording's. If the recording was annotated at another
    metrical level, they are those of the MIDI file.

    Parameters
    ----------
    written : np.ndarray, shape (B, 3)
        ``beat_midi.txt``: seconds, and 1 for downbeats in the third column.
    recorded : np.ndarray, shape (R, 2)
        ``beat_audio.txt``: seconds and positions in the bar, on the original recording.
    """
    beats_s = written[:, 0]
    length = int(recorded[:, 1].max())
    level = np.median(np.diff(recorded[:, 0])) / np.median(np.diff(beats_s))
    if abs(level - 1.0) > LEVEL_TOLERANCE:
        downbeats = np.flatnonzero(written[:, 2] > 0)
        bars = Counter(np.diff(downbeats).tolist())
        return downbeats, int(bars.most_common(1)[0][0]) if bars else 4
    downbeats_s = recorded[recorded[:, 1] == 1, 0]
    nearest = np.abs(beats_s[:, None] - downbeats_s[None, :]).argmin(0)
    first = int(np.bincount(nearest % length, minlength=length).argmax())
    return np.arange(first, len(beats_s), length), length


def _read_chords(text: str) -> tuple[ChordSegment, ...]:
    rows = (line.split() for line in text.splitlines())
    return tuple(ChordSegment(float(row[0]), float(row[1]), row[2]) for row in rows if row)


def _folders(files: zipfile.ZipFile) -> list[str]:
    return sorted({entry.split("/")[0] for entry in files.namelist() if "/" in entry})
