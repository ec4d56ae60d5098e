"""MUSTER: how far a transcribed score is from the true one.

Error rates of Nakamura, Benetos, Yoshii and Dixon, "Towards complete polyphonic music
transcription: integrating multi-pitch detection and rhythm quantization" (ICASSP 2018), with the
rhythm correction cost of Nakamura, Yoshii and Sagayama, "Rhythm transcription of polyphonic piano
music based on merged-output HMM for multiple voices" (IEEE/ACM TASLP 25(4), 2017). Of N true notes
and M estimated ones, some are matched:

- pitch error rate: matched notes of another pitch, / N;
- missing note rate: true notes without a match, / N;
- extra note rate: estimated notes without a match, / M;
- onset-time error rate: rhythm correction cost / number of matched notes. The matched notes are
  taken in the order of the true score. The interval between the onsets of two neighbours is right
  if the true interval is the estimated one times the current scale, which begins as 1. A wrong
  interval costs 1 (*shift*), and so does a change of the scale (*scale*). The cost is the least
  possible sum. A score in doubled values costs 1, a note value that is too long costs 1, and a
  single displaced note costs 2;
- offset-time error rate: matched notes whose offset is wrong after the onsets are corrected, /
  number of matched notes. An estimated offset is mapped linearly from between the estimated onsets
  around it to between the true ones; after the last onset, it is multiplied by the last scale.

The mean of the five is the usual summary. Conventions are those of the authors' public tool
(github.com/amtevaluation, ``ScoreMatchEvaluation_VoicePlus_v220118.cpp``). Its scales are the
ratios of six note values, each half the one before: plain, dotted, double dotted and in triplets. A
true note that another voice doubles is counted once, and grace notes count as notes.

Deviations. The tool aligns with an HMM over chords (Nakamura, Yoshii and Katayose, ISMIR 2017);
here dynamic programming aligns chords, and the remaining notes are matched by position
(:func:`align`). The tool compares whole ticks; here the tolerance is 0.003 quarters, since
septuplets do not divide ticks. The tool interpolates an offset from the note's own onset instead of
the onset before the offset, so that even a perfect score may have offset errors; here it has none.
The tool does not count notes after the last match as missing; here they are. A doubled note of the
estimate is counted once too.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TOLERANCE_QUARTERS: Final = 0.003
"""Tolerance, in quarters, for times to be equal; a 128th note is 0.031."""

_REACH_QUARTERS: Final = 0.6
"""Distance from its position up to which a note of the right pitch is matched (the tool: 0.3 s)."""
_MAX_PITCH_ERROR: Final = 12
_NOTE_VALUES: Final = (
    384, 192, 96, 48, 24, 12, 576, 288, 144, 72, 36, 18, 672, 336, 168, 84, 42, 21,
    256, 128, 64, 32, 16, 8,
)  # fmt: skip
"""Plain, dotted, double-dotted and triplet values; only their ratios matter."""


@dataclass(frozen=True, slots=True)
class ScoreNotes:
    """The notes of a score, with ties joined, sorted by onset and then by voice.

    Attributes
    ----------
    onsets, offsets : np.ndarray, shape (N,), float64
        In quarters from the beginning. A grace note has no length, and the onset of its main note.
    pitches : np.ndarray, shape (N,), int64
        MIDI numbers.
    """

    onsets: FloatArray
    offsets: FloatArray
    pitches: IntArray

    def __len__(self) -> int:
        return len(self.onsets)

    def take(self, indices: NDArray[np.int64]) -> ScoreNotes:
        """Return the notes at ``indices``."""
        return ScoreNotes(self.onsets[indices], self.offsets[indices], self.pitches[indices])


@dataclass(frozen=True, slots=True)
class Alignment:
    """The matching of estimated to true notes.

    Attributes
    ----------
    truth, estimate : np.ndarray, shape (K,), int64
        Indices of matched notes, ascending in ``truth``.
    missing, extra : np.ndarray of int64
        Indices of notes without a match; a doubled note is in neither array.
    """

    truth: IntArray
    estimate: IntArray
    missing: IntArray
    extra: IntArray


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Rates in percent; an onset-time error rate may exceed 100."""

    pitch: float
    missing: float
    extra: float
    onset: float
    offset: float

    @property
    def mean(self) -> float:
        """Mean of the five rates."""
        return (self.pitch + self.missing + self.extra + self.onset + self.offset) / 5


def muster(truth: ScoreNotes, estimate: ScoreNotes) -> ErrorRates:
    """Return the error rates of an estimated score."""
    return rate(truth, estimate, align(truth, estimate))


def rate(truth: ScoreNotes, estimate: ScoreNotes, alignment: Alignment) -> ErrorRates:
    """Return the error rates of an aligned score.

    Without any match, all notes are missing or extra, and the other rates are zero.
    """
    matched = len(alignment.truth)
    truth_count = max(1, matched + len(alignment.missing))
    estimate_count = max(1, matched + len(alignment.extra))
    true, estimated = truth.take(alignment.truth), estimate.take(alignment.estimate)
    cost, scale = rhythm_correction_cost(true.onsets, estimated.onsets)
    return ErrorRates(
        pitch=100.0 * int((true.pitches != estimated.pitches).sum()) / truth_count,
        missing=100.0 * len(alignment.missing) / truth_count,
        extra=100.0 * len(alignment.extra) / estimate_count,
        onset=100.0 * cost / max(1, matched),
        offset=100.0 * count_offset_errors(true, estimated, scale) / max(1, matched),
    )


# Rhythm


def rhythm_correction_cost(true_onsets: FloatArray, onsets: FloatArray) -> tuple[int, float]:
    """Return the least number of shifts and changes of scale, and the last scale.

    Parameters
    ----------
    true_onsets, onsets : np.ndarray, shape (K,)
        Onsets of matched notes in quarters, in the true order.
    """
    scales = _scales()
    costs = np.ones(len(scales), dtype=np.int64)
    costs[0] = 0
    true_intervals, intervals = np.diff(true_onsets), np.diff(onsets)
    for i in range(len(intervals)):
        np.minimum(costs, costs.min() + 1, out=costs)
        costs += np.abs(true_intervals[i] - scales * intervals[i]) > TOLERANCE_QUARTERS
    last = int(np.argmin(costs))
    return int(costs[last]), float(scales[last])


@cache
def _scales() -> FloatArray:
    """Ratios of note values, 1 first."""
    ratios = {Fraction(a, b) for a in _NOTE_VALUES for b in _NOTE_VALUES}
    return np.array([1.0, *sorted(map(float, ratios - {Fraction(1)}))])


def count_offset_errors(true: ScoreNotes, estimated: ScoreNotes, last_scale: float) -> int:
    """Count the matched notes whose offset is wrong after the onsets are corrected."""
    if not len(true):
        return 0
    order = np.argsort(estimated.onsets, kind="stable")
    onsets = estimated.onsets[order]
    errors = 0
    for i in range(len(true)):
        offset = estimated.offsets[i]
        stop = int(np.searchsorted(onsets, offset + TOLERANCE_QUARTERS))
        before = _nearest(estimated, order, stop - 1, i)
        if offset - estimated.onsets[before] <= TOLERANCE_QUARTERS:
            corrected = true.onsets[before]
        elif stop == len(onsets):
            corrected = true.onsets[i] + last_scale * (offset - estimated.onsets[i])
        else:
            after = _nearest(estimated, order, stop, i)
            span = estimated.onsets[after] - estimated.onsets[before]
            share = (offset - estimated.onsets[before]) / span
            true_span = true.onsets[after] - true.onsets[before]
            corrected = true.onsets[before] + share * true_span
        errors += bool(abs(corrected - true.offsets[i]) > TOLERANCE_QUARTERS)
    return errors


def _nearest(notes: ScoreNotes, order: IntArray, place: int, to: int) -> int:
    """Return the note nearest in pitch to note ``to`` among those that begin together with
    ``order[place]``."""
    onset = notes.onsets[order[place]]
    start = stop = place
    while start > 0 and onset - notes.onsets[order[start - 1]] <= TOLERANCE_QUARTERS:
        start -= 1
    while stop + 1 < len(order) and notes.onsets[order[stop + 1]] - onset <= TOLERANCE_QUARTERS:
        stop += 1
    together = order[start : stop + 1]
    return int(together[np.argmin(np.abs(notes.pitches[together] - notes.pitches[to]))])


# Alignment


def align(truth: ScoreNotes, estimate: ScoreNotes) -> Alignment:
    """Match the notes of two scores, in three steps.

    Chords, that is notes with the same onset, are aligned in order so that as many pitches as
    possible agree; up to three chords of one score are aligned with one of the other. First, notes
    of the same pitch within aligned chords are matched; second, notes of the same pitch near their
    position, the nearest first; last, the remaining notes within aligned chords as pitch errors,
    the smallest intervals first.
    """
    true_chords, chords = _Chords.of(truth), _Chords.of(estimate)
    blocks = _align_chords(true_chords, chords)
    matches: dict[int, int] = {}
    taken: set[int] = set()

    def match(true: int, estimated: int) -> None:
        matches[true] = estimated
        taken.add(estimated)

    for true_indices, indices in blocks:
        by_pitch: dict[int, int] = {}
        for index in indices:
            by_pitch.setdefault(int(estimate.pitches[index]), index)
        for true in true_indices:
            estimated = by_pitch.pop(int(truth.pitches[true]), None)
            if estimated is not None:
                match(true, estimated)
    for true, estimated in _near(truth, estimate, true_chords, chords, matches, taken):
        if true not in matches and estimated not in taken:
            match(true, estimated)
    for true_indices, indices in blocks:
        pairs = sorted(
            (abs(int(truth.pitches[a]) - int(estimate.pitches[b])), a, b)
            for a in true_indices
            for b in indices
            if a not in matches and b not in taken
        )
        for interval, true, estimated in pairs:
            if interval <= _MAX_PITCH_ERROR and true not in matches and estimated not in taken:
                match(true, estimated)

    true_matched = np.array(sorted(matches), dtype=np.int64)
    missing = [i for i in true_chords.notes if i not in matches]
    extra = [i for i in chords.notes if i not in taken]
    return Alignment(
        truth=true_matched,
        estimate=np.array([matches[int(i)] for i in true_matched], dtype=np.int64),
        missing=np.array(missing, dtype=np.int64),
        extra=np.array(extra, dtype=np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Chords:
    """Notes grouped by onset, each pitch once.

    ``masks`` has shape (C, 2), with a bit for each pitch: MIDI numbers below 64, and from 64 up.
    """

    members: list[list[int]]
    masks: NDArray[np.uint64]

    @classmethod
    def of(cls, notes: ScoreNotes) -> _Chords:
        members: list[list[int]] = []
        masks: list[list[int]] = []
        onset = -np.inf
        for i in np.argsort(notes.onsets, kind="stable"):
            if notes.onsets[i] - onset > TOLERANCE_QUARTERS:
                onset = notes.onsets[i]
                members.append([])
                masks.append([0, 0])
            half, bit = divmod(int(notes.pitches[i]), 64)
            if not masks[-1][half] >> bit & 1:
                masks[-1][half] |= 1 << bit
                members[-1].append(int(i))
        return cls(members, np.array(masks, dtype=np.uint64).reshape(-1, 2))

    @property
    def notes(self) -> list[int]:
        """Every note except those that another voice doubles."""
        return [i for chord in self.members for i in chord]


def _align_chords(truth: _Chords, estimate: _Chords) -> list[tuple[list[int], list[int]]]:
    """Return the aligned blocks of notes, in order."""
    moves = _best_moves(truth.masks, estimate.masks)
    blocks = []
    i, j = len(truth.members), len(estimate.members)
    while i > 0 and j > 0:
        di, dj = int(_MOVES[moves[i, j], 0]), int(_MOVES[moves[i, j], 1])
        if di and dj:
            true = [n for chord in truth.members[i - di : i] for n in chord]
            estimated = [n for chord in estimate.members[j - dj : j] for n in chord]
            blocks.append((true, estimated))
        i, j = i - di, j - dj
    return blocks[::-1]


_MOVES: Final = np.array([(1, 1), (1, 0), (0, 1), (1, 2), (2, 1), (1, 3), (3, 1)], dtype=np.int64)
_SKIP: Final = 0.3
"""Cost of a note without a match; a matched note gains 1."""
_SUBSTITUTE: Final = 0.5
"""Cost of a pair of notes of different pitch: less than that of two without a match."""
_MERGE: Final = 0.2
"""Cost of each further chord in an alignment."""


@numba.njit(cache=True)
def _best_moves(truth: NDArray[np.uint64], estimate: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the last move of the best path to each cell, shape (C + 1, D + 1)."""
    rows, columns = len(truth), len(estimate)
    scores = np.zeros((4, columns + 1))
    moves = np.zeros((rows + 1, columns + 1), dtype=np.uint8)
    for i in range(rows + 1):
        here = i % 4
        for j in range(columns + 1):
            best, best_move = -1e18, 0
            if i == 0 and j == 0:
                best = 0.0
            for move in range(len(_MOVES)):
                di, dj = _MOVES[move, 0], _MOVES[move, 1]
                if di > i or dj > j:
                    continue
                low, high = np.uint64(0), np.uint64(0)
                other_low, other_high = np.uint64(0), np.uint64(0)
                for k in range(i - di, i):
                    low |= truth[k, 0]
                    high |= truth[k, 1]
                for k in range(j - dj, j):
                    other_low |= estimate[k, 0]
                    other_high |= estimate[k, 1]
                common = _popcount(low & other_low) + _popcount(high & other_high)
                only = _popcount(low) + _popcount(high) - common
                other_only = _popcount(other_low) + _popcount(other_high) - common
                score = scores[(i - di) % 4, j - dj] + common
                if di == 0 or dj == 0:
                    score -= _SKIP * (only + other_only)
                else:
                    pairs = min(only, other_only)
                    score -= _SUBSTITUTE * pairs + _SKIP * (only + other_only - 2 * pairs)
                    score -= _MERGE * (di + dj - 2)
                if score > best:
                    best, best_move = score, move
            scores[here, j] = best
            moves[i, j] = best_move
    return moves


@numba.njit(cache=True)
def _popcount(mask: np.uint64) -> int:
    count = 0
    while mask:
        mask &= mask - np.uint64(1)
        count += 1
    return count


def _near(
    truth: ScoreNotes,
    estimate: ScoreNotes,
    true_chords: _Chords,
    chords: _Chords,
    matches: dict[int, int],
    taken: set[int],
) -> list[tuple[int, int]]:
    """Return pairs of unmatched notes of the same pitch near one another, the nearest first.

    Estimated onsets are mapped to the true score by interpolation between the matches.
    """
    if not matches:
        return []
    true = np.array(sorted(matches))
    pairs = np.stack([estimate.onsets[[matches[i] for i in true]], truth.onsets[true]], axis=1)
    places, first = np.unique(pairs[:, 0], return_index=True)
    targets = np.maximum.accumulate(pairs[first, 1])
    left: dict[int, list[int]] = {}
    for i in true_chords.notes:
        if i not in matches:
            left.setdefault(int(truth.pitches[i]), []).append(i)
    found = []
    for j in chords.notes:
        candidates = left.get(int(estimate.pitches[j]))
        if j in taken or not candidates:
            continue
        place = np.interp(estimate.onsets[j], places, targets)
        distances = np.abs(truth.onsets[candidates] - place)
        found += [
            (float(distance), i, j)
            for distance, i in zip(distances, candidates, strict=True)
            if distance <= _REACH_QUARTERS
        ]
    return [(i, j) for _, i, j in sorted(found)]
