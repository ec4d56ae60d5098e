"""Assign written positions and durations to performed notes, given the beats.

Each part is read by the network separately. The positions of its attacks are the best path
(Viterbi) under the network's log probabilities of position and interval, and the squared distance
of each attack from where it was played, relative both to the beats and to the previous attack.
Durations follow the network's prediction and the performed duration, preferring to end where other
notes begin.

Weights and spreads were chosen on the tuning half of ASAP, those of sung parts on every other clip
of voice_dev (docs/notation.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent, Transcription
from inference_service.music.metre import BarGrid, align
from inference_service.music.placement import NotePlacement, Placements
from inference_service.music.programs import SINGERS
from inference_service.rhythm.from_notes.attacks import find_attacks
from inference_service.rhythm.from_notes.beats import find_main_attacks
from inference_service.rhythm.from_notes.locate import classify_steps
from inference_service.rhythm.from_notes.score_network import INTERVALS, PLACES, QUARTER_PARTS
from inference_service.rhythm.from_notes.score_reader import Reading
from inference_service.rhythm.from_notes.swing import find_swing, straighten

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PLACE_WEIGHT: Final = 0.7
INTERVAL_WEIGHT: Final = 0.8
TIMING_S: Final = 0.03
TIMING_QUARTERS: Final = 0.06
"""Standard deviation of an attack around its position: the larger of the two."""

LENGTH_WEIGHT: Final = 0.8
GOES_ON_BONUS: Final = 2.0
OWN_HAND_BONUS: Final = 2.5
LEFT_EARLY_COST: Final = 0.4
STAYED_COST: Final = 1.5
MOST_RELEASE_COST: Final = 4.0
"""Weights of the terms of a duration. ``LEFT_EARLY_COST`` and ``STAYED_COST`` are per squared
octave between the performed and the written duration."""

TIE_COST: Final = 3.0
"""Cost of a tie in sung parts."""
SIGNS: Final = (6, 8, 12, 16, 18, 24, 36, 48, 72, 96)
"""Durations that a single note can have, from the 16th to the whole note, dotted ones included."""

SUNG_SHORTEST: Final = QUARTER_PARTS // 4
SUNG_PLACES: Final = (0, 6, 8, 12, 16, 18)
"""Shortest duration, and positions, in sung parts, which are not written in 32nds."""

LONGEST_LENGTH: Final = 12 * QUARTER_PARTS
_FOLLOWING: Final = 8
_CANDIDATES: Final = 15
_FAR: Final = 1e9


class Reader(Protocol):
    """Interface of :class:`~inference_service.rhythm.from_notes.score_reader.ScoreReader`."""

    def read(self, notes: Sequence[NoteEvent]) -> Reading:
        """Return predictions for notes, sorted by onset and pitch."""
        ...


def place_notes(transcription: Transcription, reader: Reader) -> tuple[Placements, bool]:
    """Return the placement of every note of the pitched parts, and whether the music swings.

    Parameters
    ----------
    transcription : Transcription
        Its beats are not changed.
    reader : Reader
    """
    bars = align(transcription)
    short = _find_swing(transcription, bars)
    return tuple(
        ()
        if part.is_drum or not part.notes
        else _place_part(sorted(part.notes), bars, reader, short, part.program in SINGERS)
        for part in transcription.parts
    ), short is not None


def _find_swing(transcription: Transcription, bars: BarGrid) -> float | None:
    """Return the position in the beat of swung off-beats of all pitched parts; None if straight."""
    if bars.signature.is_compound or bars.signature.unit != 4:
        return None
    onsets_s = sorted(n.onset_s for p in transcription.parts if not p.is_drum for n in p.notes)
    if not onsets_s:
        return None
    attacks = find_attacks(np.array(onsets_s))
    return find_swing(np.array([bars.grid.to_beats(time_s) for time_s in attacks.onset_s]))


def _place_part(
    notes: Sequence[NoteEvent], bars: BarGrid, reader: Reader, short: float | None, is_sung: bool
) -> tuple[NotePlacement, ...]:
    reading = reader.read(notes)
    lattice = _Lattice.lay(bars, reading, short)
    main = find_main_attacks(reading)
    positions = np.empty(len(reading.attacks.onset_s), np.int64)
    if len(main):
        chosen = lattice.choose(reading, main, SUNG_PLACES if is_sung else PLACES)
        following = np.minimum(np.searchsorted(main, np.arange(len(positions))), len(main) - 1)
        positions = chosen[following]
    else:
        positions = np.rint(lattice.played).astype(np.int64)
    starts = positions[reading.attacks.index]
    onset_s = np.array([n.onset_s for n in notes])
    offset_s = np.array([n.offset_s for n in notes])
    lines = lattice.lines if is_sung else None
    lengths = _choose_lengths(reading, starts, onset_s, offset_s, lines, short is not None)
    part_beats = Fraction(1, QUARTER_PARTS) / bars.signature.beat_quarters
    return tuple(
        NotePlacement(int(start) * part_beats, int(length) * part_beats, hand > 0, extra > 0)
        for start, length, hand, extra in zip(
            starts, lengths, reading.hand, reading.extra, strict=True
        )
    )


@dataclass(frozen=True, slots=True)
class _Lattice:
    """Attacks and bar lines, in 24ths of a quarter from the first beat.

    Attributes
    ----------
    played : np.ndarray, shape (A,)
        Performed position of each attack.
    quarter_s : np.ndarray, shape (A,)
        Local duration of a quarter in seconds.
    origin : np.ndarray of int, shape (A,)
        Bar line from which the quarters of each attack are counted.
    lines : np.ndarray of int
        All bar lines.
    """

    played: Floats
    quarter_s: Floats
    origin: Indices
    lines: Indices

    @classmethod
    def lay(cls, bars: BarGrid, reading: Reading, short: float | None) -> _Lattice:
        parts = float(bars.signature.beat_quarters * QUARTER_PARTS)
        beats = np.array([bars.grid.to_beats(t) for t in reading.attacks.onset_s])
        if short is not None:
            beats = straighten(beats, short)
        whole = np.floor(beats)
        beat_s = np.array([bars.grid.to_seconds(b + 1) - bars.grid.to_seconds(b) for b in whole])
        lines = np.array(bars.bar_starts(float(beats.min()), float(beats.max()) + 1))
        bar = np.clip(np.searchsorted(lines, beats + 0.2, side="right") - 1, 0, None)
        origin = np.rint(lines[bar] * parts).astype(np.int64)
        all_lines = np.rint(lines * parts).astype(np.int64)
        return cls(beats * parts, beat_s * QUARTER_PARTS / parts, origin, all_lines)

    def choose(self, reading: Reading, main: NDArray[np.intp], allowed: Sequence[int]) -> Indices:
        """Return written positions of the attacks ``main``, on ``allowed`` places in a quarter."""
        played, origin = self.played[main], self.origin[main]
        middle = np.rint(played).astype(np.int64)
        reach = np.arange(-_CANDIDATES, _CANDIDATES + 1)
        candidates = middle[:, None] + reach[None, :]
        place_of = np.full(QUARTER_PARTS, -1)
        place_of[list(allowed)] = [PLACES.index(place) for place in allowed]
        places = place_of[(candidates - origin[:, None]) % QUARTER_PARTS]
        spread = np.maximum(TIMING_S / self.quarter_s[main], TIMING_QUARTERS) * QUARTER_PARTS
        opinion = np.take_along_axis(reading.place[main], np.maximum(places, 0), 1)
        own = PLACE_WEIGHT * opinion - 0.5 * ((candidates - played[:, None]) / spread[:, None]) ** 2
        own[places < 0] = -_FAR
        classes, prices = classify_steps(np.arange(8 * QUARTER_PARTS + 1))
        moves = INTERVAL_WEIGHT * reading.interval[main][:, classes] - prices
        return _cheapest(candidates, own, moves, played, spread)


@njit(cache=True)
def _cheapest(
    candidates: Indices, own: Floats, moves: Floats, played: Floats, spread: Floats
) -> Indices:
    """Return the best candidate of each attack, in non-descending order (Viterbi)."""
    count, width = candidates.shape
    total = own[0].copy()
    came_from = np.zeros((count, width), np.int16)
    furthest = moves.shape[1] - 1
    for i in range(1, count):
        fresh = np.full(width, -1e18)
        gap = played[i] - played[i - 1]
        for k in range(width):
            if own[i, k] < -1e8:
                continue
            for j in range(width):
                step = candidates[i, k] - candidates[i - 1, j]
                if step < 0 or total[j] < -1e8:
                    continue
                miss = (step - gap) / spread[i]
                value = total[j] + moves[i - 1, min(step, furthest)] - 0.25 * miss * miss
                if value > fresh[k]:
                    fresh[k] = value
                    came_from[i, k] = j
        for k in range(width):
            total[k] = fresh[k] + own[i, k]
        top = total.max()
        for k in range(width):
            total[k] = max(total[k] - top, -1e18)
    best = int(np.argmax(total))
    chosen = np.zeros(count, np.int64)
    for i in range(count - 1, -1, -1):
        chosen[i] = candidates[i, best]
        best = came_from[i, best]
    return chosen


def _choose_lengths(
    reading: Reading,
    starts: Indices,
    onset_s: Floats,
    offset_s: Floats,
    lines: Indices | None,
    swings: bool,
) -> Indices:
    """Return the written duration of each note in 24ths of a quarter.

    Candidates are the network's classes, and durations up to the following attacks. Ends at an
    attack get a bonus, and another one if it is of the same hand. Deviations from the performed
    duration cost more if the note was held longer than written, as fingers often leave early but
    seldom stay. In sung parts, ending at the bar line is another candidate and ties are penalised,
    since a singer's breath does not justify a tie across a bar line. In swung music the network's
    prediction is ignored, because swung eighths mislead it.
    """
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
    best: Indices = np.take_along_axis(lengths, score.argmax(1)[:, None], 1)[:, 0]
    return best


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
