"""Pieces from the corpora: POP909, OpenScore's songs and quartets, Groove MIDI.

POP909 and Groove MIDI are performances with beats; OpenScore is written music, performed by
:mod:`.timing`. Songs on which the service's constants were chosen, on which figures are stated,
and those numbered :data:`HELD_BACK` are left out (:data:`EXCLUDED_SONGS`).
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mido
import numpy as np
from numpy.typing import NDArray

from model_zoo.training.beats.piece import Line, Piece, Role
from model_zoo.training.rhythm.scores import WrittenPiece

HELD_BACK: Final = range(701, 801)
EXCLUDED_SONGS: Final = frozenset({*range(1, 801, 20), *HELD_BACK})
"""1-based numbers in the archive; ``tests/bench/pop909.py`` tunes on or reports every 20th."""

EPSILON_Q: Final = 1e-3

_ROLES: Final[dict[str, Role]] = {"MELODY": "melody", "BRIDGE": "inner", "PIANO": "piano"}


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


def count_songs(archive: Path) -> int:
    """Number of songs in POP909's archive."""
    with zipfile.ZipFile(archive) as files:
        return len(_folders(files))


def read_song(archive: Path, number: int) -> Piece:
    """Read POP909's song ``number``, 1-based in the archive's order."""
    with zipfile.ZipFile(archive) as files:
        name = _folders(files)[number - 1]
        midi = mido.MidiFile(file=io.BytesIO(files.read(f"{name}/{name}.mid")))
        rows = np.loadtxt(files.read(f"{name}/beat_midi.txt").decode().splitlines(), ndmin=2)
    downbeats = np.flatnonzero(rows[:, 2] > 0)
    bars = Counter(np.diff(downbeats).tolist())
    bar_beats = bars.most_common(1)[0][0] if bars else 4
    seconds = _clock(midi)
    lines = [
        _read_line(track, seconds, _ROLES[track.name])
        for track in midi.tracks
        if track.name in _ROLES
    ]
    return Piece(
        name=f"pop909-{name}",
        lines=tuple(line for line in lines if len(line.notes)),
        beats_s=rows[:, 0],
        positions=_count_positions(len(rows), downbeats, int(bar_beats)),
        bar_beats=int(bar_beats),
    )


def _folders(files: zipfile.ZipFile) -> list[str]:
    return sorted({entry.split("/")[0] for entry in files.namelist() if "/" in entry})


def _count_positions(count: int, downbeats: NDArray[np.intp], bar_beats: int) -> NDArray[np.int64]:
    """Count from each downbeat; before the first one, towards it."""
    indices = np.arange(count)
    if not len(downbeats):
        return indices % bar_beats + 1
    before = np.searchsorted(downbeats, indices, side="right") - 1
    positions = np.where(
        before >= 0,
        indices - downbeats[np.maximum(before, 0)],
        (indices - downbeats[0]) % bar_beats,
    )
    return positions + 1


def _clock(midi: mido.MidiFile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ticks, and the seconds at each, to interpolate between."""
    changes = [(0, 500_000)]
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                changes.append((tick, message.tempo))
    changes.sort(key=lambda change: change[0])
    last = 1 + max(sum(message.time for message in track) for track in midi.tracks)
    ticks, seconds = [0.0], [0.0]
    tempo = changes[0][1]
    for tick, following in [*changes[1:], (last, 0)]:
        seconds.append(seconds[-1] + (tick - ticks[-1]) * tempo / 1e6 / midi.ticks_per_beat)
        ticks.append(float(tick))
        tempo = following
    return np.array(ticks), np.array(seconds)


def _read_line(
    track: mido.MidiTrack, clock: tuple[NDArray[np.float64], NDArray[np.float64]], role: Role
) -> Line:
    tick = 0
    sounding: dict[int, tuple[int, int]] = {}
    notes: list[tuple[float, float, float, float]] = []
    pedal: list[tuple[float, float]] = []
    for message in track:
        tick += message.time
        if message.type == "note_on" and message.velocity > 0:
            sounding[message.note] = (tick, message.velocity)
        elif message.type in ("note_on", "note_off"):
            if message.note in sounding:
                onset, velocity = sounding.pop(message.note)
                notes.append((onset, max(tick, onset + 1), message.note, velocity))
        elif message.type == "control_change" and message.control == 64:
            pedal.append((tick, message.value))
    events = np.array(sorted(notes), np.float64).reshape(-1, 4)
    presses = np.array(pedal, np.float64).reshape(-1, 2)
    events[:, :2] = np.interp(events[:, :2], *clock)
    presses[:, 0] = np.interp(presses[:, 0], *clock)
    return Line(role, events, presses)


def read_grooves(archive: Path) -> Iterator[Groove]:
    """Read every performance of Groove MIDI that lasts two bars and more."""
    with zipfile.ZipFile(archive) as files:
        table = io.StringIO(files.read("info.csv").decode())
        for row in csv.DictReader(table):
            beats, unit = (int(part) for part in row["time_signature"].split("-"))
            midi = mido.MidiFile(file=io.BytesIO(files.read(row["midi_filename"])))
            quarters = (np.array([0.0, 1e6]), np.array([0.0, 1e6 / midi.ticks_per_beat]))
            lines = [_read_line(track, quarters, "drums").notes for track in midi.tracks]
            hits = np.concatenate(lines)
            if len(hits) and hits[:, 0].max() >= 8.0 * beats / unit:
                yield Groove(hits, float(row["bpm"]), beats, unit, row["style"])


def beats_of(score: WrittenPiece) -> tuple[NDArray[np.float64], NDArray[np.int64], int, int]:
    """Return the beats of written music.

    Returns
    -------
    beats_q : np.ndarray, shape (B,), in quarters
    positions : np.ndarray of int, shape (B,)
    bar_beats : int
    compound : int
        1 or 0. Beats of compound metres are dotted.

    Raises
    ------
    ValueError
        If the music has bars of other than 2, 3, 4 or 6 beats for more than a tenth of its course.
    """
    starts = score.bar_start_q
    end_q = float((score.onset_q + score.duration_q).max())
    lengths = np.diff([*starts, max(end_q, float(starts[-1]) + 0.5)])
    beats: list[float] = []
    positions: list[int] = []
    tally: Counter[tuple[int, int]] = Counter()
    begun_q = 0.0  # how much of a bar that is written in two halves was in the first
    for index, (start_q, length_q) in enumerate(zip(starts, lengths, strict=True)):
        numerator, unit = int(score.bar_beats[index]), int(score.bar_unit[index])
        compound = numerator % 3 == 0 and numerator > 3
        beat_q = 4.0 / unit * (3 if compound else 1)
        bar_beats = numerator // 3 if compound else numerator
        tally[bar_beats, int(compound)] += 1
        missing_q = beat_q * bar_beats - length_q
        if index == 0 and missing_q > EPSILON_Q:  # a pickup
            begun_q = missing_q
        first = math.ceil(begun_q / beat_q - EPSILON_Q)
        offsets_q = np.arange(first, bar_beats) * beat_q - begun_q
        inside = offsets_q < length_q - EPSILON_Q
        beats += (start_q + offsets_q[inside]).tolist()
        positions += (np.arange(first, bar_beats)[inside] + 1).tolist()
        begun_q = length_q if missing_q > EPSILON_Q and begun_q == 0.0 else 0.0
    (bar_beats, compound_), count = tally.most_common(1)[0]
    odd = sum(n for (b, _), n in tally.items() if b not in (2, 3, 4))
    if odd > 0.1 * len(starts) or len({c for _, c in tally}) > 1 or count < 0.5 * len(starts):
        raise ValueError(f"{score.name}: irregular metre")
    order = np.argsort(beats, kind="stable")
    return np.array(beats)[order], np.array(positions)[order], bar_beats, compound_
