"""Metrics of transcriptions against reference labels, computed by mir_eval.

Notes are arrays of shape ``(N, 3)`` or wider, with the columns of
:attr:`model_zoo.training.tagger.take.Take.notes`: onset and offset in seconds, pitch (a MIDI
number, possibly fractional), then velocity and family index if a metric needs them. The tolerances
are mir_eval's defaults: onsets within 50 ms, pitches within 50 cents, offsets within 20 % of the
note or 50 ms, velocities within a tenth of their range after a linear fit (Hawthorne et al.,
"Onsets and frames: dual-objective piano transcription", ISMIR 2018). Drums are compared by class,
strokes within 50 ms.

Precision, recall and F1 of an empty transcription of an empty reference are 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import mir_eval
import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from model_zoo.training.tagger.take import FAMILY, ONSET, PITCH, VELOCITY

NoteArray = NDArray[np.float64]
Counts = NDArray[np.int64]

DRUM_CLASSES: Final = ("KD", "SD", "HH", "TT", "CY")
"""Kick, snare, hi-hat, toms and cymbals: the classes of MDB Drums (Southall, Wu, Lerch and Hockman,
"MDB Drums: an annotated subset of MedleyDB for automatic drum transcription", ISMIR 2017) without
"OT", the class of all other percussion."""

DRUM_WINDOW_S: Final = 0.05
UNKNOWN: Final = -1
"""Family index of a note whose family is unknown."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The notes and drum strokes of a recording, labelled or transcribed.

    Attributes
    ----------
    notes : np.ndarray, shape (N, 5), or None if notes were not transcribed
        Unknown velocities are ``nan``, unknown families :data:`UNKNOWN`.
    strokes : np.ndarray, shape (K, 2), or None if drums were not transcribed
        Onset in seconds, index of the class in :data:`DRUM_CLASSES`.
    """

    notes: NoteArray | None
    strokes: NoteArray | None = None


class Accuracy(NamedTuple):
    """Precision, recall and F1."""

    precision: float
    recall: float
    f1: float


def as_heard(notes: Sequence[NoteEvent]) -> NoteArray:
    """Return notes at their sounding pitch, including ``pitch_cents``; shape (N, 3)."""
    rows = [(n.onset_s, n.offset_s, n.pitch + n.pitch_cents / 100) for n in notes]
    return np.array(rows, dtype=float).reshape(-1, 3)


def compare_onsets(labels: NoteArray, notes: NoteArray) -> Accuracy:
    """Compare onsets, regardless of pitch."""
    return _compare(labels, notes, offset_ratio=None, pitch_tolerance=1e6)


def compare_pitches(labels: NoteArray, notes: NoteArray) -> Accuracy:
    """Compare onsets and pitches."""
    return _compare(labels, notes, offset_ratio=None)


def compare_offsets(labels: NoteArray, notes: NoteArray) -> Accuracy:
    """Compare onsets, pitches and offsets."""
    return _compare(labels, notes)


def compare_velocities(labels: NoteArray, notes: NoteArray) -> Accuracy:
    """Compare onsets, pitches, offsets and velocities."""
    if not len(labels) or not len(notes):
        return _without(labels, notes)
    intervals, pitches = _split(labels)
    told_intervals, told_pitches = _split(notes)
    precision, recall, f1, _ = mir_eval.transcription_velocity.precision_recall_f1_overlap(
        intervals, pitches, labels[:, VELOCITY], told_intervals, told_pitches, notes[:, VELOCITY]
    )
    return Accuracy(float(precision), float(recall), float(f1))


def match_notes(
    labels: NoteArray, notes: NoteArray, offset_ratio: float | None = None
) -> list[tuple[int, int]]:
    """Return the matched pairs of row indices; offsets must match if a ratio is given."""
    if not len(labels) or not len(notes):
        return []
    pairs: list[tuple[int, int]] = mir_eval.transcription.match_notes(
        *_split(labels), *_split(notes), offset_ratio=offset_ratio
    )
    return pairs


def confuse_families(labels: NoteArray, notes: NoteArray) -> Counts:
    """Return the confusion matrix of matched notes: rows are true families, columns estimated."""
    confusion = np.zeros((len(FAMILIES), len(FAMILIES)), np.int64)
    for label, note in match_notes(labels, notes):
        confusion[int(labels[label, FAMILY]), int(notes[note, FAMILY])] += 1
    return confusion


def count_families(labels: NoteArray, notes: NoteArray) -> Counts:
    """Return the numbers of matched, estimated and labelled notes of each family."""
    counts = np.zeros((len(FAMILIES), 3), np.int64)
    for family in range(len(FAMILIES)):
        own, estimated = labels[labels[:, FAMILY] == family], notes[notes[:, FAMILY] == family]
        counts[family] = len(match_notes(own, estimated)), len(estimated), len(own)
    return counts


def count_strokes(labels: NoteArray, strokes: NoteArray) -> Counts:
    """Return the numbers of matched, estimated and labelled strokes of each drum class."""
    counts = np.zeros((len(DRUM_CLASSES), 3), np.int64)
    for kind in range(len(DRUM_CLASSES)):
        own, estimated = (np.sort(rows[rows[:, 1] == kind, ONSET]) for rows in (labels, strokes))
        pairs = (
            mir_eval.util.match_events(own, estimated, DRUM_WINDOW_S)
            if len(own) * len(estimated)
            else ()
        )
        counts[kind] = len(pairs), len(estimated), len(own)
    return counts


def _compare(labels: NoteArray, notes: NoteArray, **options: float | None) -> Accuracy:
    if not len(labels) or not len(notes):
        return _without(labels, notes)
    precision, recall, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        *_split(labels), *_split(notes), **options
    )
    return Accuracy(float(precision), float(recall), float(f1))


def _without(labels: NoteArray, notes: NoteArray) -> Accuracy:
    return Accuracy(*[float(len(labels) == len(notes))] * 3)


def _split(notes: NoteArray) -> tuple[NoteArray, NoteArray]:
    """Return intervals in seconds and pitches in hertz."""
    return notes[:, :2], np.asarray(440.0 * 2.0 ** ((notes[:, PITCH] - 69.0) / 12.0))
