"""Find downbeats and metre, given beats.

There are three kinds of evidence that a beat is a downbeat: chord changes, bass notes that begin on
it, and the strength of its onset. For bars of four and of three beats, the best path of positions
through the beats is found by dynamic programming. A path may skip or repeat positions (a singer's
pause, an odd bar) at a cost. The metre whose downbeats stand out more wins, with a bonus for four,
which most music has. Two beats are not distinguished from four, nor 6/8 from 3/4: the audio says
little about it, and readers expect the longer bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import Beat, ChordSegment, NoteEvent

BASS_PITCH: Final = 50
"""Notes below this (D3) count as bass."""

NOTE_TOLERANCE_S: Final = 0.08
CHORD_TOLERANCE_BEATS: Final = 0.35
# These and the costs below were chosen as stated in librosa_beats.py.
CHORD_WEIGHT: Final = 1.0
BASS_WEIGHT: Final = 0.5
ONSET_WEIGHT: Final = 0.5
SLIP_PRICE: Final = 12.0
"""Cost of an irregular step, in standard deviations of the evidence: about that of four bars."""

TIE_BREAK: Final = 1e-6
"""Without any evidence, the first beat is a downbeat."""

FOUR_BONUS: Final = 0.08
BAR_LENGTHS: Final = (4, 3)


@dataclass(frozen=True, slots=True)
class Metre:
    """Beats with their positions in the bar, and the time signature."""

    beats: tuple[Beat, ...]
    time_signature: str


def place_downbeats(
    beats_s: NDArray[np.float64],
    strengths: NDArray[np.float64],
    notes: Sequence[NoteEvent],
    chords: Sequence[ChordSegment],
) -> Metre:
    """Number the beats within their bars.

    Parameters
    ----------
    beats_s : np.ndarray, shape (B,), B >= 2
        Times of the beats, ascending.
    strengths : np.ndarray, shape (B,)
        Strength of the onset at each beat, in any unit.
    notes, chords : sequences
        Transcribed notes and chords; either may be empty.
    """
    evidence = (
        CHORD_WEIGHT * _standardise(count_chord_changes(beats_s, chords))
        + BASS_WEIGHT * _standardise(count_bass_notes(beats_s, notes))
        + ONSET_WEIGHT * _standardise(strengths)
    )
    paths = {length: find_positions(evidence, length) for length in BAR_LENGTHS}
    length = max(paths, key=lambda n: paths[n][1] + (FOUR_BONUS if n == 4 else 0.0))
    positions = paths[length][0]
    return Metre(
        tuple(Beat(float(t), int(p) + 1) for t, p in zip(beats_s, positions, strict=True)),
        f"{length}/4",
    )


def count_chord_changes(
    beats_s: NDArray[np.float64], chords: Sequence[ChordSegment]
) -> NDArray[np.float64]:
    """Return the evidence of a chord change on each beat, which decreases with distance."""
    counts = np.zeros(len(beats_s))
    period_s = float(np.median(np.diff(beats_s)))
    for chord in chords[1:]:
        nearest = int(np.abs(beats_s - chord.start_s).argmin())
        distance_beats = abs(beats_s[nearest] - chord.start_s) / period_s
        if distance_beats < CHORD_TOLERANCE_BEATS:
            counts[nearest] += 1.0 - distance_beats
    return counts


def count_bass_notes(
    beats_s: NDArray[np.float64], notes: Sequence[NoteEvent]
) -> NDArray[np.float64]:
    """Return the duration of the bass notes that begin on each beat, in seconds, at most 2 each."""
    seconds = np.zeros(len(beats_s))
    for note in notes:
        if note.pitch >= BASS_PITCH:
            continue
        nearest = int(np.abs(beats_s - note.onset_s).argmin())
        if abs(beats_s[nearest] - note.onset_s) < NOTE_TOLERANCE_S:
            seconds[nearest] += min(note.offset_s - note.onset_s, 2.0)
    return seconds


def find_positions(evidence: NDArray[np.float64], length: int) -> tuple[NDArray[np.intp], float]:
    """Return the best position, 0-based, of each beat in bars of ``length``, and its mean score.

    A downbeat scores its evidence, and the other beats of a bar share its negative. The path
    advances by one position per beat, or to any position at a cost of :data:`SLIP_PRICE`.
    """
    gains = np.tile(-evidence[:, None] / (length - 1), (1, length))
    gains[:, 0] = evidence
    came_from = np.zeros(gains.shape, np.intp)
    totals = gains[0] + np.where(np.arange(length) == 0, TIE_BREAK, 0.0)
    previous = (np.arange(length) - 1) % length
    for index in range(1, len(gains)):
        best = int(totals.argmax())
        slips = totals[best] - SLIP_PRICE > totals[previous]
        came_from[index] = np.where(slips, best, previous)
        totals = np.where(slips, totals[best] - SLIP_PRICE, totals[previous]) + gains[index]
    positions = np.zeros(len(gains), np.intp)
    positions[-1] = totals.argmax()
    for index in range(len(gains) - 1, 0, -1):
        positions[index - 1] = came_from[index, positions[index]]
    return positions, float(totals.max()) / len(gains)


def _standardise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale to mean 0 and standard deviation 1; zeros if all values are equal."""
    deviation = float(values.std())
    return (values - values.mean()) / deviation if deviation > 1e-9 else np.zeros(len(values))
