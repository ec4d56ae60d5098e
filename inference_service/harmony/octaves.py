"""Moves single notes of a singer that a pitch tracker heard an octave off.

In a separated stem, where other instruments are left, a pitch tracker may find half or twice the
frequency for a note. The melody then leaps by about an octave and back, which melodies hardly ever
do, while a leap after which the melody stays is common.

The octaves are those with the least sum of intervals in semitones, plus :data:`SHIFT_SEMITONES` for
each note that is moved; this is more than an octave, so that a single leap moves nothing. After a
rest of :data:`REST_S`, when a singer may begin in another register, an interval counts for half.

On the half of the rendered songs for choosing constants (docs/notation.md), costs of 8 to
12.6 semitones mend 9 or 10 of 24 such notes in a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from inference_service.music.events import NoteEvent
from inference_service.music.intonation import heard_pitches

SHIFTS: Final = np.array([-12.0, 0.0, 12.0])
SHIFT_SEMITONES: Final = 12.6
REST_S: Final = 1.0


def mend_octaves(notes: Sequence[NoteEvent]) -> list[NoteEvent]:
    """Return sorted notes of one voice, some of them moved by an octave."""
    if len(notes) < 3:
        return list(notes)
    pitch = heard_pitches(notes)[:, None] + SHIFTS
    own = np.where(SHIFTS == 0.0, 0.0, SHIFT_SEMITONES)
    rests_s = np.array([after.onset_s - before.offset_s for before, after in pairwise(notes)])
    weights = np.where(rests_s > REST_S, 0.5, 1.0)
    cost, came = own.copy(), np.zeros((len(notes), len(SHIFTS)), np.int64)
    for k in range(1, len(notes)):
        leaps = np.abs(pitch[k][None, :] - pitch[k - 1][:, None])
        reached = cost[:, None] + weights[k - 1] * leaps
        came[k] = reached.argmin(axis=0)
        cost = reached.min(axis=0) + own
    states = [int(cost.argmin())]
    for k in range(len(notes) - 1, 0, -1):
        states.append(int(came[k, states[-1]]))
    return [
        replace(note, pitch=note.pitch + int(SHIFTS[state]))
        for note, state in zip(notes, reversed(states), strict=True)
    ]
