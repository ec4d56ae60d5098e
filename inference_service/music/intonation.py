"""How far sung pitches lie from the pitches that are written for them.

A :class:`~.events.NoteEvent` carries the pitch that is written and, in ``pitch_cents``, how far the
pitch that was heard lies above it at A440. This module goes from notes to heard pitches, and from
heard pitches to the nearest semitones of a tuning that follows the singer. Where a note's
``pitch_cents`` is 0 no finer pitch was measured, and the written one counts as heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent, Part, Transcription
from inference_service.music.programs import SINGERS

TUNING_REACH_S: Final = 16.0
"""Standard deviation of the window in which notes share a tuning; chosen on half of voice_dev."""

TUNING_PRIOR_S: Final = 2.0
"""Seconds of notes that the recording's own tuning counts for; chosen on the same clips."""

Floats = NDArray[np.float64]


def heard_pitches(notes: Sequence[NoteEvent]) -> Floats:
    """Return the pitches that were heard, as fractional MIDI numbers at A440.

    Returns
    -------
    np.ndarray, shape (N,), float64
    """
    return np.array([note.pitch + note.pitch_cents / 100 for note in notes], np.float64)


def write_pitches(notes: Sequence[NoteEvent], pitches: Sequence[int]) -> list[NoteEvent]:
    """Return the notes with other written pitches; the pitches that were heard stay the same.

    Parameters
    ----------
    notes : sequence of NoteEvent, length N
    pitches : sequence of int, length N
        MIDI numbers.
    """
    return [
        replace(note, pitch=pitch, pitch_cents=float(100 * (heard - pitch)))
        for note, pitch, heard in zip(notes, pitches, heard_pitches(notes), strict=True)
    ]


def write_as_sung(transcription: Transcription) -> Transcription:
    """Return the transcription with the singers' notes at the semitones that were sung.

    Times, placements and the key stay, and so do parts whose pitches no tagger measured in cents.
    """
    tuning_cents = transcription.tuning_cents
    parts = tuple(
        replace(part, notes=tuple(round_to_tuning(part.notes, tuning_cents)))
        if _is_measured(part)
        else part
        for part in transcription.parts
    )
    return replace(transcription, parts=parts)


def _is_measured(part: Part) -> bool:
    """Whether a part is sung, and its pitches are known in cents."""
    is_sung = part.program in SINGERS and not part.is_drum
    return is_sung and any(note.pitch_cents for note in part.notes)


def round_to_tuning(notes: Sequence[NoteEvent], tuning_cents: float) -> list[NoteEvent]:
    """Return the notes at the semitones nearest to what was heard: as sung.

    Parameters
    ----------
    notes : sequence of NoteEvent
        Sorted and without overlap.
    tuning_cents : float
        The recording's deviation from A440.
    """
    if not notes:
        return []
    heard = heard_pitches(notes)
    onsets_s = np.array([note.onset_s for note in notes])
    offsets_s = np.array([note.offset_s for note in notes])
    tuning = local_tuning(onsets_s, offsets_s, heard, tuning_cents)
    return write_pitches(notes, [int(pitch) for pitch in np.rint(heard - tuning)])


def local_tuning(onsets_s: Floats, offsets_s: Floats, heard: Floats, tuning_cents: float) -> Floats:
    """Return the tuning around each note, in semitones above A440's.

    The circular mean of the fractional parts of the notes nearby; longer and nearer notes weigh
    more, and the recording's tuning counts as :data:`TUNING_PRIOR_S` of notes. The result lies
    within half a semitone of the recording's tuning.

    Parameters
    ----------
    onsets_s, offsets_s, heard : np.ndarray, shape (N,)
        Times in seconds; pitches as fractional MIDI numbers.
    tuning_cents : float
        The recording's deviation from A440.

    Returns
    -------
    np.ndarray, shape (N,), float64
    """
    prior = tuning_cents / 100
    phasors = np.exp(2j * np.pi * (heard - prior))
    middles_s = (onsets_s + offsets_s) / 2
    nearness = np.exp(-0.5 * ((middles_s[:, None] - middles_s) / TUNING_REACH_S) ** 2)
    mean = nearness @ (phasors * (offsets_s - onsets_s)) + TUNING_PRIOR_S
    deviation: Floats = np.angle(mean) / (2 * np.pi)
    return prior + deviation
