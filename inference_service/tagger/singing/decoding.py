"""From what the network tells of every frame to notes.

A recording is a row of notes and rests. Of all such rows the one is taken whose sum is highest of

- the log odds of sounding of every frame in a note, and :attr:`DecodingOptions.sounding` each;
- for every note the log odds of an onset where it begins, and :attr:`DecodingOptions.entry` after a
  rest, or :attr:`DecodingOptions.renewal` right after another note,

found exactly by dynamic programming over two states. An onset's odds are those of all the
probability within :data:`ONSET_REACH` frames of a local maximum; elsewhere nothing begins, but for
what sounds from the first frame on. Where between frames an onset lies, its neighbours tell.

A note's pitch is the median of what its frames tell, weighed by the contour's confidence and by how
surely they sound: the network moves each frame's pitch to the note's own, so that vibrato, scoops
and glides do not count as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inference_service.tagger.singing.features import HOP_S

ONSET_REACH: Final = 3
LEAST: Final = 1e-3
NOWHERE: Final = -1e9

Course = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """What notes cost; chosen on development music when weights are exported.

    Attributes
    ----------
    entry, renewal : float
        Added to an onset's log odds, after a rest and after a note.
    sounding : float
        Added to every frame's log odds of sounding.
    min_note_s : float
        Shorter notes are left out.
    """

    entry: float = 1.0
    renewal: float = 0.0
    sounding: float = 0.0
    min_note_s: float = 0.05


class Outputs(NamedTuple):
    """What the network tells of a recording: each ``np.ndarray, shape (T,)``.

    Attributes
    ----------
    onset, sounding : np.ndarray
        Probabilities.
    bend : np.ndarray
        Semitones from the contour's pitch to the note's.
    """

    onset: Course
    sounding: Course
    bend: Course


class SungNote(NamedTuple):
    """A note; ``pitch`` is a MIDI number in fractions."""

    onset_s: float
    offset_s: float
    pitch: float


def decode_notes(
    outputs: Outputs, pitch: Course, confidence: Course, options: DecodingOptions
) -> list[SungNote]:
    """Return the notes, sorted and without overlap.

    Parameters
    ----------
    outputs : Outputs
    pitch, confidence : np.ndarray, shape (T,)
        Of the contour; MIDI numbers in fractions.
    options : DecodingOptions
    """
    onset, shift = gather_onsets(outputs.onset)
    begin = _log_odds(onset)
    begin[onset == 0.0] = NOWHERE
    spans = _segment(
        begin + options.entry,
        begin + options.renewal,
        _log_odds(outputs.sounding) + options.sounding,
    )
    weight = confidence * outputs.sounding
    notes: list[SungNote] = []
    for start, stop in spans.tolist():
        onset_s = max((start + float(shift[start])) * HOP_S, 0.0)
        offset_s = (stop - 0.5) * HOP_S
        if offset_s - onset_s < options.min_note_s or not weight[start:stop].any():
            continue
        own = slice(start, stop)
        heard = _weighted_median(pitch[own] + outputs.bend[own], weight[own])
        if notes and notes[-1].offset_s > onset_s:
            notes[-1] = notes[-1]._replace(offset_s=onset_s)
        notes.append(SungNote(onset_s, offset_s, heard))
    return notes


def gather_onsets(onset: Course) -> tuple[Course, Course]:
    """Return at each local maximum the probability about it, else 0, and by how many frames its
    centre of mass lies later."""
    frames = len(onset)
    padded = np.pad(onset, ONSET_REACH)
    about = np.lib.stride_tricks.sliding_window_view(padded, 2 * ONSET_REACH + 1)
    peaks = (onset > LEAST) & (about[:, :ONSET_REACH] < onset[:, None]).all(axis=1)
    peaks &= (about[:, ONSET_REACH + 1 :] <= onset[:, None]).all(axis=1)
    near = about[:, ONSET_REACH - 1 : ONSET_REACH + 2]
    shift = (near[:, 2] - near[:, 0]) / np.maximum(near.sum(axis=1), LEAST)
    gathered = np.where(peaks, np.minimum(about.sum(axis=1), 1.0), 0.0)
    return gathered, np.where(peaks, shift, np.zeros(frames))


def _log_odds(probability: Course) -> Course:
    clipped = np.clip(probability, LEAST, 1.0 - LEAST)
    odds: Course = np.log(clipped / (1.0 - clipped))
    return odds


@njit(cache=True)
def _segment(entry: Course, renewal: Course, sounding: Course) -> NDArray[np.int64]:
    """Return the first frame and the frame after the last of each note: shape (N, 2)."""
    frames = len(sounding)
    rested = np.zeros(frames + 1)
    held = np.full(frames + 1, NOWHERE)
    ended = np.zeros(frames + 1, np.bool_)  # whether a note comes right before a rest
    source = np.zeros(frames, np.int64)  # what a sounding frame is: held on, after a rest, renewed
    for t in range(frames):
        first = 0.0 if t == 0 and sounding[0] > 0.0 else NOWHERE
        enter = rested[t] + max(entry[t], first)
        renew = held[t] + renewal[t]
        hold = held[t]
        best = hold
        source[t] = 0
        if enter > best:
            best, source[t] = enter, 1
        if renew > best:
            best, source[t] = renew, 2
        held[t + 1] = best + sounding[t]
        ended[t + 1] = held[t] > rested[t]
        rested[t + 1] = max(held[t], rested[t])
    spans = np.zeros((frames, 2), np.int64)
    count = 0
    sounds = held[frames] > rested[frames]
    stop = frames
    t = frames
    while t > 0:
        if sounds:
            t -= 1
            if source[t] == 0:
                continue
            spans[count, 0], spans[count, 1] = t, stop
            count += 1
            sounds = source[t] == 2
            stop = t
        else:
            sounds = ended[t]
            t -= 1
            stop = t
    return spans[:count][::-1]


def _weighted_median(values: Course, weights: Course) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, 0.5 * reached[-1])])
