"""Music to learn from, in one form: who plays which notes when, and what is known of it.

A :class:`Piece` is what every source yields. Times are in seconds; all arrays are float64. A line
names its instrument where the source does (``program``), its role where it does not: then whoever
makes it sound chooses an instrument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment, Key
from inference_service.music.families import family_of

Role = Literal["melody", "inner", "chords", "bass", "piano", "drums"]
Part = Literal["train", "dev", "held out"]
Notes = NDArray[np.float64]

ONSET: Final = 0
OFFSET: Final = 1
PITCH: Final = 2
VELOCITY: Final = 3

UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Licence:
    """Terms, and whether they let weights that are given away be trained on the material."""

    name: str
    allows_weights: bool


MIT: Final = Licence("MIT", True)
CC0: Final = Licence("CC0 1.0", True)
CC_BY: Final = Licence("CC BY 4.0", True)
PUBLIC_DOMAIN: Final = Licence("public domain", True)
CC_BY_NC_SA: Final = Licence("CC BY-NC-SA", False)
NOBODY_SAYS: Final = Licence("none stated", False)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a piece comes from.

    Attributes
    ----------
    source : str
    work : str
        The composition, whichever file it is in; see :func:`.splits.name_work`.
    licence : Licence
    part : str or None
        What the source itself trains, develops or tests on it; None where it has no such parts.
    """

    source: str
    work: str
    licence: Licence
    part: Part | None = None


NOWHERE: Final = Origin("", "", NOBODY_SAYS)


@dataclass(frozen=True, slots=True)
class Line:
    """What one instrument plays.

    Attributes
    ----------
    role : str
    notes : np.ndarray, shape (N, 4)
        Onset and offset in seconds, MIDI pitch, velocity 1-127. Of drums, the pitch is a General
        MIDI percussion key.
    pedal : np.ndarray, shape (K, 2)
        Sustain pedal: time in seconds, value 0-127.
    program : int or None
        General MIDI, 0-based; None where the source names no instrument.
    name : str
        What the source calls it.
    """

    role: Role
    notes: Notes
    pedal: NDArray[np.float64]
    program: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines, their beats, and what else is known of them.

    Attributes
    ----------
    name : str
    lines : tuple of Line
    beats_s : np.ndarray, shape (B,)
        Empty where nobody counted.
    positions : np.ndarray of int, shape (B,)
        In the bar, 1 the downbeat.
    bar_beats : int
        Of the usual bar.
    compound : int
        1 where beats divide in three, 0 in two, :data:`UNKNOWN` where nobody says.
    chords : tuple of ChordSegment
    key : Key or None
    deadpan : bool
        Whether it is written rather than played, so that a performance is yet to be made of it.
    origin : Origin
    audio : Path or None
        The recording that everything else is heard in.
    """

    name: str
    lines: tuple[Line, ...]
    beats_s: NDArray[np.float64]
    positions: NDArray[np.int64]
    bar_beats: int
    compound: int = UNKNOWN
    chords: tuple[ChordSegment, ...] = ()
    key: Key | None = None
    deadpan: bool = False
    origin: Origin = NOWHERE
    audio: Path | None = None


def make_line(role: Role, notes: list[tuple[float, float, float, float]] | Notes) -> Line:
    """A line without pedal."""
    return Line(role, np.asarray(notes, np.float64).reshape(-1, 4), np.zeros((0, 2)))


def guess_role(program: int, notes: Notes, name: str) -> Role:
    """Return the role of a line by its instrument, by what it is called, and by its chords."""
    if re.search(r"\b(?:melod(?:y|ie)|vocals?|vox|voice|sing(?:er|ing)?|lead)\b", name.casefold()):
        return "melody"
    family = family_of(program)
    if family in ("bass", "piano"):
        return "bass" if family == "bass" else "piano"
    if family == "voice":
        return "melody"
    together = len(notes) - len(np.unique(notes[:, ONSET].round(2)))
    return "chords" if together > 0.3 * len(notes) else "inner"


def end_of(piece: Piece) -> float:
    """Return when the last note ends, in seconds; 0 where there is none."""
    return max(
        (float(line.notes[:, OFFSET].max()) for line in piece.lines if len(line.notes)), default=0.0
    )


def cut(piece: Piece, start_s: float, stop_s: float) -> Piece:
    """Return what begins within ``[start_s, stop_s)``, with times from ``start_s``."""
    lines = []
    for line in piece.lines:
        inside = (line.notes[:, ONSET] >= start_s) & (line.notes[:, ONSET] < stop_s)
        notes = line.notes[inside].copy()
        notes[:, :2] -= start_s
        notes[:, OFFSET] = np.minimum(notes[:, OFFSET], stop_s - start_s)
        pressed = (line.pedal[:, 0] >= start_s) & (line.pedal[:, 0] < stop_s)
        lines.append(replace(line, notes=notes, pedal=line.pedal[pressed] - [start_s, 0.0]))
    kept = (piece.beats_s >= start_s) & (piece.beats_s < stop_s)
    return replace(
        piece,
        lines=tuple(lines),
        beats_s=piece.beats_s[kept] - start_s,
        positions=piece.positions[kept],
        chords=tuple(
            ChordSegment(
                max(chord.start_s - start_s, 0.0), min(chord.end_s, stop_s) - start_s, chord.label
            )
            for chord in piece.chords
            if chord.start_s < stop_s and chord.end_s > start_s
        ),
    )


def change_tempo(piece: Piece, factor: float) -> Piece:
    """Return the piece ``factor`` times as fast."""
    return warp(piece, lambda times_s: times_s / factor)


def warp(piece: Piece, clock: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Piece:
    """Return the piece with its times sent through ``clock``, which never runs backwards."""
    lines = []
    for line in piece.lines:
        notes, pedal = line.notes.copy(), line.pedal.copy()
        notes[:, :2] = clock(notes[:, :2])
        pedal[:, 0] = clock(pedal[:, 0])
        lines.append(replace(line, notes=notes, pedal=pedal))
    bounds = np.array([[chord.start_s, chord.end_s] for chord in piece.chords]).reshape(-1, 2)
    return replace(
        piece,
        lines=tuple(lines),
        beats_s=clock(piece.beats_s),
        chords=tuple(
            ChordSegment(float(start_s), float(end_s), chord.label)
            for (start_s, end_s), chord in zip(clock(bounds), piece.chords, strict=True)
        ),
    )


def count_positions(count: int, downbeats: NDArray[np.intp], bar_beats: int) -> NDArray[np.int64]:
    """Return places in the bar: counted from each downbeat; before the first one, towards it.

    ``downbeats`` are indices of beats.
    """
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
