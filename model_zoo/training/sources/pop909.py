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
from model_zoo.training.sources.piece import MIT, PITCH, Origin, Piece, Role, count_positions
from model_zoo.training.sources.scores import MARKS, WrittenPiece
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


def count_beats_as_recorded(
    written: NDArray[np.float64], recorded: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the beats of a MIDI file, halved or doubled to the recording's tempo, and downbeats.

    In one song of four, the MIDI file has half the tempo that was annotated on the recording.
    Parameters are those of :func:`count_bars`; downbeats are indices of beats.
    """
    beats_s = written[:, 0]
    level = np.median(np.diff(recorded[:, 0])) / np.median(np.diff(beats_s))
    if abs(2 * level - 1.0) <= LEVEL_TOLERANCE:
        middles = np.append((beats_s[:-1] + beats_s[1:]) / 2, 1.5 * beats_s[-1] - 0.5 * beats_s[-2])
        beats_s = np.column_stack([beats_s, middles]).ravel()
    elif abs(level / 2 - 1.0) <= LEVEL_TOLERANCE:
        nearest = np.abs(beats_s[:, None] - recorded[None, :, 0]).argmin(0)
        beats_s = beats_s[int(np.bincount(nearest % 2, minlength=2).argmax()) :: 2]
    else:
        return beats_s, count_bars(written, recorded)[0]
    rows = np.column_stack([beats_s, beats_s, np.zeros(len(beats_s))])
    return beats_s, count_bars(rows, recorded)[0]


def read_melody(archive: Path, number: int) -> WrittenPiece:
    """Read the melody of song ``number``, its beats as quarters, as written music.

    Notes begin on the nearest sixteenth between beats.

    Raises
    ------
    ValueError
        If there is no melody, or no bar begins.
    """
    song = read_song(archive, number)
    with zipfile.ZipFile(archive) as files:
        name = _folders(files)[number - 1]
        key = files.read(f"{name}/key_audio.txt").decode().split()[2]
    notes = [line.notes for line in song.lines if line.role == "melody"]
    downbeats = np.flatnonzero(song.positions == 1)
    if not notes or not len(downbeats):
        raise ValueError(f"{song.name}: no melody, or no bars")
    ends = np.interp(notes[0][:, :2], song.beats_s, np.arange(len(song.beats_s)))
    start_q, end_q = np.round(4 * ends).T / 4
    count = len(start_q)
    first, bar_q = int(downbeats[0]), song.bar_beats
    bar_start_q = np.arange(first - bar_q if first else 0, end_q.max(), float(bar_q))
    return WrittenPiece(
        name=song.name,
        onset_q=start_q,
        duration_q=np.maximum(end_q - start_q, 0.25),
        pitch=notes[0][:, PITCH].astype(np.int64),
        part=np.zeros(count, np.int64),
        staff=np.ones(count, np.int64),
        grace=np.zeros(count, bool),
        marks=np.zeros((count, len(MARKS)), bool),
        bar_start_q=bar_start_q,
        bar_beats=np.full(len(bar_start_q), bar_q),
        bar_unit=np.full(len(bar_start_q), 4),
        bar_fifths=np.full(len(bar_start_q), _count_fifths(key)),
        staves=(1,),
    )


def _count_fifths(key: str) -> int:
    """Return the sharps of a key such as ``Gb:maj``, flats negative."""
    tonic, mode = key.split(":")
    fifths = "FCGDAEB".index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic.count("b"))
    fifths -= 3 if mode == "min" else 0
    return fifths if abs(fifths) <= 7 else fifths - 12 * (1 if fifths > 0 else -1)


def _read_chords(text: str) -> tuple[ChordSegment, ...]:
    rows = (line.split() for line in text.splitlines())
    return tuple(ChordSegment(float(row[0]), float(row[1]), row[2]) for row in rows if row)


def _folders(files: zipfile.ZipFile) -> list[str]:
    return sorted({entry.split("/")[0] for entry in files.namelist() if "/" in entry})
