"""Reads tracks of MIDI files as lines of notes.

If a note is struck again before it ends, only the second stroke is kept; a note without an end is
dropped.
"""

from __future__ import annotations

import mido
import numpy as np
from numpy.typing import NDArray

from model_zoo.training.sources.piece import Line, Role

Clock = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Ticks, and the time in seconds at each, for linear interpolation."""


def read_clock(midi: mido.MidiFile) -> Clock:
    """Read the tempo changes of all tracks as a map from ticks to seconds."""
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


def read_line(track: mido.MidiTrack, clock: Clock, role: Role) -> Line:
    """Read the notes and pedal of a track, on all channels."""
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
