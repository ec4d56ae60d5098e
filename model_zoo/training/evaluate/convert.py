"""Converts notes, parts, takes and pieces to :class:`~model_zoo.training.evaluate.metrics.Tags`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from inference_service.music.events import NoteEvent, Part
from inference_service.music.families import FAMILIES, family_of
from inference_service.music.programs import PIANO
from inference_service.tagger.notes.decoding import DRUM_KEYS
from model_zoo.training.evaluate.metrics import DRUM_CLASSES, UNKNOWN, NoteArray, Tags, as_heard
from model_zoo.training.sources.piece import Piece
from model_zoo.training.tagger.take import (
    KEY,
    OFFSET,
    ONSET,
    PITCH,
    VELOCITY,
    Take,
    hold_by_pedal,
)

_KEYS: Final = {
    "KD": (35, 36),
    "SD": (38, 40),
    "HH": (42, 44, 46),
    "TT": (41, 43, 45, 47, 48, 50),
    "CY": (49, 51, 52, 53, 55, 57, 59),
}
CLASS_OF_KEY: Final = {
    key: DRUM_CLASSES.index(name) for name, keys in _KEYS.items() for key in keys
}
"""Maps General MIDI percussion keys to :data:`~.metrics.DRUM_CLASSES`. Other keys, such as side
sticks (37) and tambourines (54), are the class "OT" of MDB Drums and are ignored."""

_FIRST_MELODIC: Final = 8
"""Lower programs are pianos, whose labels include the pedal."""


def to_notes(notes: Sequence[NoteEvent], family: int = UNKNOWN) -> NoteArray:
    """Return notes of one family at their sounding pitch; shape (N, 5)."""
    velocities = np.array([note.velocity for note in notes], float)
    return np.column_stack([as_heard(notes), velocities, np.full(len(notes), float(family))])


def to_strokes(onsets_s: Iterable[float], keys: Iterable[int]) -> NoteArray:
    """Return strokes of General MIDI percussion keys, except keys without a class."""
    rows = [
        (onset_s, CLASS_OF_KEY[key])
        for onset_s, key in zip(onsets_s, keys, strict=True)
        if key in CLASS_OF_KEY
    ]
    return np.array(rows, float).reshape(-1, 2)


def from_parts(parts: Sequence[Part]) -> Tags:
    """Return the output of a tagger that distinguishes families and drums."""
    notes = [np.zeros((0, 5))]
    strokes = [np.zeros((0, 2))]
    for part in parts:
        if part.is_drum:
            keys = [note.pitch for note in part.notes]
            strokes.append(to_strokes((note.onset_s for note in part.notes), keys))
        else:
            program = PIANO if part.program is None else part.program
            notes.append(to_notes(part.notes, FAMILIES.index(family_of(program))))
    return Tags(by_onset(np.concatenate(notes)), by_onset(np.concatenate(strokes)))


def from_take(take: Take) -> Tags:
    """Return the labels of rendered music."""
    keys = [DRUM_KEYS[kind] for kind in take.drums[:, KEY].astype(int).tolist()]
    return Tags(take.notes, to_strokes(take.drums[:, ONSET].tolist(), keys))


def from_piece(piece: Piece, duration_s: float) -> Tags:
    """Return the labels of a recording of ``duration_s``.

    Piano notes last as long as the pedal holds them. Velocities that are all equal are taken for
    unknown.
    """
    notes = [np.zeros((0, 5))]
    strokes = [np.zeros((0, 2))]
    for line in piece.lines:
        rows = by_onset(line.notes)
        if line.role == "drums":
            keys = [round(pitch) for pitch in rows[:, PITCH].tolist()]
            strokes.append(to_strokes(rows[:, ONSET].tolist(), keys))
            continue
        if line.program is not None and line.program < _FIRST_MELODIC:
            rows = hold_by_pedal(rows, line.pedal)
        family = UNKNOWN if line.program is None else FAMILIES.index(family_of(line.program))
        notes.append(np.column_stack([rows, np.full(len(rows), float(family))]))
    sounding = np.concatenate(notes)
    sounding[:, OFFSET] = np.minimum(sounding[:, OFFSET], duration_s)
    sounding = sounding[sounding[:, OFFSET] > sounding[:, ONSET]]
    if len(np.unique(sounding[:, VELOCITY])) < 2:
        sounding[:, VELOCITY] = np.nan
    return Tags(by_onset(sounding), by_onset(np.concatenate(strokes)))


def by_onset(rows: NoteArray) -> NoteArray:
    """Return the rows sorted by onset."""
    return rows[np.argsort(rows[:, ONSET], kind="stable")]
