"""Assign written positions and durations to performed notes, given the beats.

Each part is read by the network separately. The positions of its attacks are the best path
(Viterbi) under the network's log probabilities of position and interval, and the squared distance
of each attack from where it was played, relative both to the beats and to the previous attack.
:mod:`~inference_service.rhythm.from_notes.lengths` chooses durations,
:mod:`~inference_service.rhythm.from_notes.hands` hands.

Weights and spreads were chosen on the tuning half of ASAP, those of sung parts on every other clip
of voice_dev (docs/notation.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent, Transcription
from inference_service.music.metre import BarGrid, align
from inference_service.music.placement import NotePlacement, Placements
from inference_service.music.programs import KEYBOARDS, SINGERS
from inference_service.music.swing import find_swing, straighten
from inference_service.rhythm.from_notes.attacks import find_attacks
from inference_service.rhythm.from_notes.beats import find_main_attacks
from inference_service.rhythm.from_notes.broken_triplets import mend_broken_triplets
from inference_service.rhythm.from_notes.hands import follow_lines
from inference_service.rhythm.from_notes.lengths import Release, choose_lengths
from inference_service.rhythm.from_notes.locate import classify_steps
from inference_service.rhythm.from_notes.score_network import PLACES, QUARTER_PARTS
from inference_service.rhythm.from_notes.score_reader import Reading

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PLACE_WEIGHT: Final = 0.7
INTERVAL_WEIGHT: Final = 0.8
TIMING_S: Final = 0.03
TIMING_QUARTERS: Final = 0.06
"""Standard deviation of an attack around its position: the larger of the two."""

SUNG_PLACES: Final = (0, 6, 8, 12, 16, 18)
"""Positions in sung parts, which are not written in 32nds."""

_THIRTY_SECONDS: Final = (3, 9, 15, 21)
_SEXTUPLETS: Final = (4, 20)
"""Places that only 32nds, or only sextuplets, have."""

_CANDIDATES: Final = 15
_FAR: Final = 1e9


class Reader(Protocol):
    """Interface of :class:`~inference_service.rhythm.from_notes.score_reader.ScoreReader`."""

    def read(self, notes: Sequence[NoteEvent], quarter_s: float | None = None) -> Reading:
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
        else _place_part(sorted(part.notes), bars, reader, short, part.program)
        for part in transcription.parts
    ), short is not None


def _find_swing(transcription: Transcription, bars: BarGrid) -> float | None:
    """Return the position in the beat of swung off-beats; None if the music is straight."""
    if bars.signature.is_compound or bars.signature.unit != 4:
        return None
    return find_swing(_find_places(part.notes, bars) for part in transcription.parts if part.notes)


def _find_places(notes: Sequence[NoteEvent], bars: BarGrid) -> Floats:
    """Return the positions in beats of the attacks of a part."""
    attacks = find_attacks(np.array(sorted(note.onset_s for note in notes)))
    return np.array([bars.grid.to_beats(time_s) for time_s in attacks.onset_s])


def _place_part(
    notes: Sequence[NoteEvent],
    bars: BarGrid,
    reader: Reader,
    short: float | None,
    program: int | None,
) -> tuple[NotePlacement, ...]:
    is_sung, is_keyboard = program in SINGERS, program is None or program in KEYBOARDS
    reading = reader.read(notes, _find_quarter_s(bars))
    lattice = _Lattice.lay(bars, reading, short)
    main = find_main_attacks(reading)
    positions = np.empty(len(reading.attacks.onset_s), np.int64)
    if len(main):
        chosen = lattice.choose(reading, main, SUNG_PLACES if is_sung else PLACES)
        chosen = mend_broken_triplets(chosen, lattice.origin[main])
        following = np.minimum(np.searchsorted(main, np.arange(len(positions))), len(main) - 1)
        positions = chosen[following]
    else:
        positions = np.rint(lattice.played).astype(np.int64)
    starts = positions[reading.attacks.index]
    release = Release.of(notes, starts, is_keyboard=is_keyboard)
    hand = follow_lines(starts, release.onset_s, release.pitches, reading.hand)
    reading = replace(reading, hand=hand)
    lines = lattice.lines if is_sung else None
    lengths = choose_lengths(reading, release, lines, swings=short is not None)
    part_beats = Fraction(1, QUARTER_PARTS) / bars.signature.beat_quarters
    return tuple(
        NotePlacement(int(start) * part_beats, int(length) * part_beats, odds > 0, extra > 0)
        for start, length, odds, extra in zip(starts, lengths, hand, reading.extra, strict=True)
    )


def _find_quarter_s(bars: BarGrid) -> float:
    """Return the usual length of a quarter, which the network is told."""
    return 60.0 / (bars.tempo_bpm * float(bars.signature.beat_quarters))


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
        own[_is_too_fine(played, (candidates - origin[:, None]) % QUARTER_PARTS)] = -_FAR
        classes, prices = classify_steps(np.arange(8 * QUARTER_PARTS + 1))
        moves = INTERVAL_WEIGHT * reading.interval[main][:, classes] - prices
        return _cheapest(candidates, own, moves, played, spread)


def _is_too_fine(played: Floats, places: Indices) -> NDArray[np.bool_]:
    """Whether places are finer than the neighbours of their attacks, as played, account for.

    Only attacks with a neighbour at about the distance of a 32nd are written on 32nds, and the same
    for sextuplets: other ones are there by chance. ``places`` has shape (A, C).
    """
    gaps = np.diff(played, prepend=-np.inf, append=np.inf)
    nearest = np.minimum(gaps[:-1], gaps[1:])[:, None]
    too_fine: NDArray[np.bool_] = (np.isin(places, _THIRTY_SECONDS) & (nearest > 3 * 2**0.5)) | (
        np.isin(places, _SEXTUPLETS) & (nearest > 4 * 2**0.5)
    )
    return too_fine


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
