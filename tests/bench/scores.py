"""Notes against labels, with mir_eval's defaults: onsets within 50 ms, pitches within 50 cents.

Labels and notes are arrays of shape (N, 3): onset and offset in seconds, and a MIDI number, whole
or not.
"""

from __future__ import annotations

from collections.abc import Sequence

import mir_eval
import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent

NoteArray = NDArray[np.float64]


def as_heard(notes: Sequence[NoteEvent]) -> NoteArray:
    """Return notes at the pitch that was heard, ``pitch_cents`` included."""
    rows = [(n.onset_s, n.offset_s, n.pitch + n.pitch_cents / 100) for n in notes]
    return np.array(rows, dtype=float).reshape(-1, 3)


def as_written(notes: Sequence[NoteEvent]) -> NoteArray:
    """Return notes at their whole MIDI numbers."""
    rows = [(n.onset_s, n.offset_s, float(n.pitch)) for n in notes]
    return np.array(rows, dtype=float).reshape(-1, 3)


def onset_pitch_f1(labels: NoteArray, notes: NoteArray) -> float:
    """F1 of onsets with pitches."""
    return _f1(labels, notes, offset_ratio=None)


def onset_f1(labels: NoteArray, notes: NoteArray) -> float:
    """F1 of onsets, whatever the pitch."""
    return _f1(labels, notes, offset_ratio=None, pitch_tolerance=1e6)


def onset_pitch_offset_f1(labels: NoteArray, notes: NoteArray) -> float:
    """F1 of onsets with pitches and offsets (within 20 % of the note or 50 ms)."""
    return _f1(labels, notes)


def written_f1(labels: NoteArray, notes: NoteArray) -> float:
    """F1 of whole pitches as intervals: labels rounded in the singer's own tuning (the circular
    mean of their fractions), the best of the three transpositions that the rounding leaves open."""
    fractions = np.exp(2j * np.pi * labels[:, 2])
    tuning = float(np.angle((fractions * (labels[:, 1] - labels[:, 0])).sum())) / (2 * np.pi)
    rounded = labels.copy()
    rounded[:, 2] = np.rint(labels[:, 2] - tuning)
    moved = (notes + np.array([0.0, 0.0, semitones]) for semitones in (-1.0, 0.0, 1.0))
    return max(onset_pitch_f1(rounded, candidate) for candidate in moved)


def _f1(labels: NoteArray, notes: NoteArray, **options: float | None) -> float:
    if not len(labels) or not len(notes):
        return float(len(labels) == len(notes))
    _, _, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        labels[:, :2], _to_hz(labels), notes[:, :2], _to_hz(notes), **options
    )
    return float(f1)


def _to_hz(notes: NoteArray) -> NDArray[np.float64]:
    return np.asarray(440.0 * 2.0 ** ((notes[:, 2] - 69.0) / 12.0))
