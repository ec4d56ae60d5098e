"""Notes, parts, takes and MIDI files as :class:`~model_zoo.training.evaluate.metrics.Tags`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pretty_midi

from inference_service.music.events import NoteEvent, Part
from inference_service.music.families import FAMILIES, family_of
from inference_service.music.programs import PIANO
from inference_service.tagger.decoding import DRUM_KEYS
from model_zoo.training.evaluate.metrics import DRUM_CLASSES, UNKNOWN, NoteArray, Tags, as_heard
from model_zoo.training.tagger.take import KEY, OFFSET, ONSET, Take, hold_by_pedal

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
"""General MIDI's percussion keys to :data:`~.metrics.DRUM_CLASSES`. The others are "OT" to MDB
Drums, and left out: side sticks (37) and tambourines (54) are among them."""

_FIRST_MELODIC: Final = 8
"""Programs below it are pianos, whose pedal is labelled."""


def to_notes(notes: Sequence[NoteEvent], family: int = UNKNOWN) -> NoteArray:
    """Return notes at the pitch that was heard, of one family; shape (N, 5)."""
    velocities = np.array([note.velocity for note in notes], float)
    return np.column_stack([as_heard(notes), velocities, np.full(len(notes), float(family))])


def to_strokes(onsets_s: Iterable[float], keys: Iterable[int]) -> NoteArray:
    """Return strokes on General MIDI's percussion keys, those of no class left out."""
    rows = [
        (onset_s, CLASS_OF_KEY[key])
        for onset_s, key in zip(onsets_s, keys, strict=True)
        if key in CLASS_OF_KEY
    ]
    return np.array(rows, float).reshape(-1, 2)


def from_parts(parts: Sequence[Part]) -> Tags:
    """Return what a tagger of families and drums told."""
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


def read_midi(path: Path, duration_s: float) -> Tags:
    """Read a performance: pianos' notes sound as long as the pedal holds them.

    Raises
    ------
    OSError, EOFError, ValueError
        If it is no MIDI file.
    """
    notes = [np.zeros((0, 5))]
    strokes = [np.zeros((0, 2))]
    for instrument in pretty_midi.PrettyMIDI(str(path)).instruments:
        played = sorted(instrument.notes, key=lambda note: float(note.start))
        rows = np.array([(n.start, n.end, n.pitch, n.velocity) for n in played], float)
        rows = rows.reshape(-1, 4)
        if instrument.is_drum:
            strokes.append(to_strokes(rows[:, ONSET].tolist(), [n.pitch for n in played]))
            continue
        if instrument.program < _FIRST_MELODIC:
            changes = instrument.control_changes
            pedal = [(change.time, change.value) for change in changes if change.number == 64]
            rows = hold_by_pedal(rows, np.array(pedal, float).reshape(-1, 2))
        family = FAMILIES.index(family_of(instrument.program))
        notes.append(np.column_stack([rows, np.full(len(rows), float(family))]))
    sounding = np.concatenate(notes)
    sounding[:, OFFSET] = np.minimum(sounding[:, OFFSET], duration_s)
    sounding = sounding[sounding[:, OFFSET] > sounding[:, ONSET]]
    return Tags(by_onset(sounding), by_onset(np.concatenate(strokes)))


def by_onset(rows: NoteArray) -> NoteArray:
    """Return rows in the order of their onsets."""
    return rows[np.argsort(rows[:, ONSET], kind="stable")]
