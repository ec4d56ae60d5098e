"""The common form of training music: notes by instrument, beats, chords, key and licence.

Every source yields instances of :class:`Piece`. Times are in seconds; arrays are float64 unless
stated otherwise. A line has a ``program`` if the source names an instrument. Otherwise it has only
a role, and the renderer chooses an instrument.
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
    """A licence, and whether it allows publishing weights trained on the material."""

    name: str
    allows_weights: bool


MIT: Final = Licence("MIT", True)
CC0: Final = Licence("CC0 1.0", True)
CC_BY: Final = Licence("CC BY 4.0", True)
PUBLIC_DOMAIN: Final = Licence("public domain", True)
CC_BY_NC_SA: Final = Licence("CC BY-NC-SA", False)
UNSTATED: Final = Licence("none stated", False)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a piece comes from.

    Attributes
    ----------
    source : str
    work : str
        Name of the composition, the same in all its versions; see :func:`.splits.name_work`.
    licence : Licence
    part : str or None
        Split that the source itself assigns; None if it defines no splits.
    """

    source: str
    work: str
    licence: Licence
    part: Part | None = None


NO_ORIGIN: Final = Origin("", "", UNSTATED)


@dataclass(frozen=True, slots=True)
class Line:
    """The part of one instrument.

    Attributes
    ----------
    role : str
    notes : np.ndarray, shape (N, 4)
        Onset and offset in seconds, MIDI pitch, velocity 1-127. The pitch of drums is a General
        MIDI percussion key.
    pedal : np.ndarray, shape (K, 2)
        Sustain pedal: time in seconds, value 0-127.
    program : int or None
        General MIDI, 0-based; None if the source names no instrument.
    name : str
        Name of the track in the source.
    """

    role: Role
    notes: Notes
    pedal: NDArray[np.float64]
    program: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of music with everything known about it.

    Attributes
    ----------
    name : str
    lines : tuple of Line
    beats_s : np.ndarray, shape (B,)
        Empty if the beats are unknown.
    positions : np.ndarray of int, shape (B,)
        Position of each beat in its bar; 1 is the downbeat.
    bar_beats : int
        Number of beats in the most common bar.
    compound : int
        1 if beats divide into three, 0 if into two, or :data:`UNKNOWN`.
    chords : tuple of ChordSegment
    key : Key or None
    deadpan : bool
        Whether the notes are written rather than played, so that a performance must be simulated.
    origin : Origin
    audio : Path or None
        The recording that the notes annotate.
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
    origin: Origin = NO_ORIGIN
    audio: Path | None = None


def make_line(role: Role, notes: list[tuple[float, float, float, float]] | Notes) -> Line:
    """Return a line without pedal."""
    return Line(role, np.asarray(notes, np.float64).reshape(-1, 4), np.zeros((0, 2)))


def guess_role(program: int, notes: Notes, name: str) -> Role:
    """Guess the role of a line from its instrument, its name and how often it plays chords."""
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
    """Return the end of the last note in seconds; 0 if there are no notes."""
    return max(
        (float(line.notes[:, OFFSET].max()) for line in piece.lines if len(line.notes)), default=0.0
    )


def cut(piece: Piece, start_s: float, stop_s: float) -> Piece:
    """Return what begins within ``[start_s, stop_s)``, with times relative to ``start_s``."""
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
    """Return the piece played ``factor`` times as fast."""
    return warp(piece, lambda times_s: times_s / factor)


def warp(piece: Piece, clock: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Piece:
    """Return the piece with its times mapped by ``clock``, a non-decreasing function."""
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
    """Return the position in the bar of ``count`` beats, 1 at each downbeat.

    Beats before the first downbeat are counted back from it as the end of a full bar.
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
