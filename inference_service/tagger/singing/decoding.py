"""Decode the singing network's frame-wise outputs to notes.

A recording is a sequence of notes and rests. Dynamic programming over two states finds the sequence
with the greatest sum of

- for every frame in a note, its log odds of sounding plus :attr:`DecodingOptions.sounding`;
- for every note, the log odds of an onset at its first frame, plus :attr:`DecodingOptions.entry`
  after a rest or :attr:`DecodingOptions.renewal` directly after another note.

The probability of an onset is collected at local maxima, from :data:`ONSET_REACH` frames to either
side. Notes begin nowhere else, except for one that sounds from the first frame on. The onset time
is interpolated between frames from the neighbours of the maximum.

The pitch of a note is the median over its frames, weighted by the contour's confidence and the
probability of sounding. Each frame's pitch is first corrected by the network's ``bend`` towards the
pitch of the note, which removes vibrato, scoops and glides.
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
    """Costs of the decoder. Those of our weights are stored with them, and were chosen on half of
    the recordings of voice_dev (model_zoo/experiments/010-sung-notes.md).

    Attributes
    ----------
    entry, renewal : float
        Added to the log odds of an onset, after a rest and after a note.
    sounding : float
        Added to the log odds of sounding of every frame.
    min_note_s : float
        Shorter notes are dropped.
    """

    entry: float = 1.0
    renewal: float = 0.0
    sounding: float = 0.0
    min_note_s: float = 0.05


class Outputs(NamedTuple):
    """The network's outputs for a recording, each of shape (T,).

    Attributes
    ----------
    onset, sounding : np.ndarray
        Probabilities.
    bend : np.ndarray
        Semitones from the contour's pitch to that of the note.
    """

    onset: Course
    sounding: Course
    bend: Course


class SungNote(NamedTuple):
    """A sung note; ``pitch`` is a fractional MIDI number."""

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
        Pitch (fractional MIDI number) and confidence of the contour.
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
        median = _weighted_median(pitch[own] + outputs.bend[own], weight[own])
        if notes and notes[-1].offset_s > onset_s:
            notes[-1] = notes[-1]._replace(offset_s=onset_s)
        notes.append(SungNote(onset_s, offset_s, median))
    return notes


def gather_onsets(onset: Course) -> tuple[Course, Course]:
    """Collect the probability of onsets at local maxima.

    Returns
    -------
    gathered : np.ndarray, shape (T,)
        Sum of the probability around each local maximum, at most 1; 0 elsewhere.
    shift : np.ndarray, shape (T,)
        Frames from a local maximum to its centre of mass.
    """
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
    """Return the first frame and the frame after the last of each note, shape (N, 2)."""
    frames = len(sounding)
    rested = np.zeros(frames + 1)
    held = np.full(frames + 1, NOWHERE)
    ended = np.zeros(frames + 1, np.bool_)  # whether a note ends directly before a rest
    source = np.zeros(frames, np.int64)  # of a sounding frame: 0 held, 1 after a rest, 2 renewed
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
