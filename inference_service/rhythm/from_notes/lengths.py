"""Choose the written durations of performed notes, given their positions.

Durations follow the network's prediction and the performed duration, preferring to end where other
notes begin. A note ends where its pitch begins again at the latest. It is written longer than it
was heard only if at least half of the written value was heard, or if the rest that is left out is
too short to write: an eighth, or a quarter at keyboards, since the fingers of pianists leave early.
(Without the exception for keyboards, MUSTER's offset errors on the tuning half of ASAP rise from
23 to 25 %.)

Weights were chosen on the tuning half of ASAP, those of sung parts on every other clip of voice_dev
(docs/notation.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent
from inference_service.music.lines import is_single_line
from inference_service.rhythm.from_notes.locate import classify_steps
from inference_service.rhythm.from_notes.score_network import INTERVALS, QUARTER_PARTS
from inference_service.rhythm.from_notes.score_reader import Reading

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LENGTH_WEIGHT: Final = 0.8
GOES_ON_BONUS: Final = 2.0
OWN_HAND_BONUS: Final = 2.5
LEFT_EARLY_COST: Final = 0.4
STAYED_COST: Final = 1.5
MOST_RELEASE_COST: Final = 4.0
"""Weights of the terms of a duration. ``LEFT_EARLY_COST`` and ``STAYED_COST`` are per squared
octave between the performed and the written duration."""

MOST_SILENT: Final = 0.5
"""A note is not written longer than it was heard if more than this share would be silent, unless
the silence is at most the one below."""
SILENT_QUARTERS: Final = 0.5
KEYBOARD_SILENT_QUARTERS: Final = 1.0
"""Longest rest that is too short to write after a note of which less than half was heard. Keyboards
have the longer one, since fingers leave early: staccato is written in full values."""

TIE_COST: Final = 3.0
"""Cost of a tie in sung parts."""
SIGNS: Final = (6, 8, 12, 16, 18, 24, 36, 48, 72, 96)
"""Durations that a single note can have, from the 16th to the whole note, dotted ones included."""

SUNG_SHORTEST: Final = QUARTER_PARTS // 4
"""Shortest duration in sung parts, which are not written in 32nds."""

LONGEST_LENGTH: Final = 12 * QUARTER_PARTS
_FOLLOWING: Final = 8
_FAR: Final = 1e9
_NO_LIMIT: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Release:
    """When the notes of a part begin and end, and until where they may be written.

    Attributes
    ----------
    starts : np.ndarray of int, shape (N,)
        Written positions in 24ths of a quarter.
    limits : np.ndarray of int, shape (N,)
        Positions where the notes end at the latest: where their pitch begins again, and in a
        single line, where the next note begins.
    onset_s, offset_s : np.ndarray, shape (N,)
    pitches : np.ndarray of int, shape (N,)
    rest_quarters : float
        Longest rest that is too short to write.
    """

    starts: Indices
    limits: Indices
    onset_s: Floats
    offset_s: Floats
    pitches: Indices
    rest_quarters: float

    @classmethod
    def of(cls, notes: Sequence[NoteEvent], starts: Indices, *, is_keyboard: bool) -> Release:
        """Return the release of a part's sorted notes."""
        pitches = np.array([note.pitch for note in notes])
        limits = _find_repeats(starts, pitches)
        if not is_keyboard and is_single_line(notes):
            places = np.append(np.unique(starts), _NO_LIMIT)
            limits = np.minimum(limits, places[np.searchsorted(places, starts, side="right")])
        return cls(
            starts,
            limits,
            np.array([note.onset_s for note in notes]),
            np.array([note.offset_s for note in notes]),
            pitches,
            KEYBOARD_SILENT_QUARTERS if is_keyboard else SILENT_QUARTERS,
        )


def choose_lengths(
    reading: Reading, release: Release, lines: Indices | None, *, swings: bool
) -> Indices:
    """Return the written duration of each note in 24ths of a quarter.

    Candidates are the network's classes, and durations up to the following attacks. Ends at an
    attack get a bonus, and another one if it is of the same hand. Deviations from the performed
    duration cost more if the note was held longer than written, as fingers often leave early but
    seldom stay. In sung parts, ending at the bar line is another candidate and ties are penalised,
    since a singer's breath does not justify a tie across a bar line. In swung music the network's
    prediction is ignored, because swung eighths mislead it.
    """
    starts, onset_s, offset_s = release.starts, release.onset_s, release.offset_s
    main = reading.extra <= 0
    if not main.any():
        main[:] = True
    places, first = np.unique(starts[main], return_index=True)
    times_s = np.maximum.accumulate(onset_s[main][first])
    values = np.array([int(f * QUARTER_PARTS) for f in INTERVALS[1:]])
    lower = reading.hand > 0
    after = np.searchsorted(places, starts, side="right")[:, None] + np.arange(_FOLLOWING)
    following = places[np.minimum(after, len(places) - 1)] - starts[:, None]
    lengths = np.concatenate([np.broadcast_to(values, (len(starts), len(values))), following], 1)
    if lines is not None:
        line = lines[np.minimum(np.searchsorted(lines, starts, side="right"), len(lines) - 1)]
        lengths = np.concatenate([lengths, (line - starts)[:, None]], 1)
    ends = starts[:, None] + lengths
    classes, prices = classify_steps(np.arange(LONGEST_LENGTH + 1))
    bounded = np.clip(lengths, 0, LONGEST_LENGTH)
    opinion = np.take_along_axis(reading.length, classes[bounded], 1)
    score = LENGTH_WEIGHT * ((0.0 if swings else opinion) - prices[bounded])
    score[(lengths < values[0]) | (lengths > LONGEST_LENGTH)] = -_FAR
    score += GOES_ON_BONUS * np.isin(ends, places)
    if lines is not None:
        score -= TIE_COST * _count_ties(starts, lengths, line)
        score[lengths < SUNG_SHORTEST] = -_FAR
    for hand in (False, True):
        own = np.unique(starts[main & (lower == hand)])
        score[lower == hand] += OWN_HAND_BONUS * np.isin(ends[lower == hand], own)
    written_s = _seconds_at(ends, places, times_s) - onset_s[:, None]
    held = np.log2(np.maximum(offset_s - onset_s, 0.02)[:, None] / np.maximum(written_s, 0.02))
    weight = np.where(held < 0, LEFT_EARLY_COST, STAYED_COST)
    score -= np.minimum(weight * held**2, MOST_RELEASE_COST)
    silent = written_s - (offset_s - onset_s)[:, None]
    quarter_s = written_s / np.maximum(lengths, 1) * QUARTER_PARTS
    too_long = (silent > MOST_SILENT * written_s) & (silent > release.rest_quarters * quarter_s)
    score -= _FAR / 2 * ((too_long & (lengths > values[0])) | (ends > release.limits[:, None]))
    best: Indices = np.take_along_axis(lengths, score.argmax(1)[:, None], 1)[:, 0]
    return best


def _find_repeats(starts: Indices, pitches: Indices) -> Indices:
    """Return where each note's pitch begins again, ``_NO_LIMIT`` if it does not."""
    order = np.lexsort((starts, pitches))
    again = np.full(len(starts), _NO_LIMIT)
    for earlier, later in pairwise(order[::-1]):
        if pitches[earlier] == pitches[later]:
            same = starts[later] == starts[earlier]
            again[later] = again[earlier] if same else starts[earlier]
    return again


def _count_ties(starts: Indices, lengths: Indices, line: Indices) -> Indices:
    """Return a lower bound on the number of ties of each duration: across and within the bar.

    A duration within the bar needs no tie if a single note can write it, and it begins on a beat,
    ends by the next one, or is a syncopated quarter.
    """
    begin = starts[:, None]
    crosses = (begin + lengths > line[:, None]) & (line[:, None] > begin)
    within = np.where(crosses, line[:, None] - begin, lengths)
    phase = (begin - line[:, None]) % QUARTER_PARTS
    fits = (phase == 0) | (phase + within <= QUARTER_PARTS)
    fits |= (phase == QUARTER_PARTS // 2) & (within == QUARTER_PARTS)
    ties: Indices = crosses.astype(np.int64) + ~(fits & np.isin(within, SIGNS))
    return ties


def _seconds_at(positions: Indices, places: Indices, times_s: Floats) -> Floats:
    """Return the performed time of positions, extrapolated at the tempo of the last attacks."""
    if len(places) < 2:
        alone: Floats = times_s[0] + (positions - places[0]) / QUARTER_PARTS
        return alone
    back = max(0, len(places) - 9)
    pace_s = (times_s[-1] - times_s[back]) / (places[-1] - places[back])
    beyond = np.maximum(positions - places[-1], 0)
    return np.asarray(np.interp(positions, places, times_s) + pace_s * beyond)
