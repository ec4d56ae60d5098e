"""Find bars, metre and the values of a melody, by comparing complete readings.

A reading is a metre, written values, and the ticks at which bars begin. The values are those that
the notes have as located in one of the metres (:mod:`.melody_location`), halved or doubled. The
score of a reading is the sum of the network's potentials (:mod:`.melody_network`), the log
likelihood of the timing, the log probability of its tempo, and, with less weight, that of a melody
beginning where this one does.

The bars of a metre are found by dynamic programming: their phase may change at a note, at a cost
which is low after a long note, since that is where singers breathe. Such a change is taken for a
pause that is too long or too short, and the notes after it are moved, so that all bars are of one
length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from inference_service.checkpoint import load_network
from inference_service.rhythm.from_notes.bars import Bars
from inference_service.rhythm.from_notes.melody_location import (
    COMPOUND_BPM,
    USUAL_BPM,
    locate_melody,
)
from inference_service.rhythm.from_notes.melody_network import (
    BAR_TICKS,
    FIRST_PLACE,
    TICK_PARTS,
    MelodyBarNetwork,
    describe_melody,
)
from inference_service.rhythm.from_notes.melody_slips import TickSlip, find_slips
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

SCALES: Final = (1.0, 0.5, 2.0)
"""Factors of the written values that are tried."""

# Deviations of the tempo from its median. Set by hand, and looked at on voice_pages.
USUAL_OCTAVES: Final = 0.33
COMPOUND_OCTAVES: Final = 0.4

TIMING_WEIGHT: Final = 1.0
MOST_BEHIND: Final = 12.0
"""Locations whose timing is less likely by this log ratio than that of the best are not read."""

SHIFT_BEHIND: Final = 6.0
"""Bars that all begin earlier or later than the best ones of a metre are readings, too, unless they
are less likely by more than this log ratio."""

METRE_ODDS: Final = (-0.400, -0.089, 0.527, -0.232, -0.455, -1.220, -1.982)
"""Log ratios of the shares of METRES among 1,694 songs to their shares in training, which is given
more of the rare ones (model_zoo/experiments/012-melody-location.md)."""

SHARPNESS: Final = 0.6
"""Factor of the scores that makes their softmax a probability; fitted on simulated singers
(model_zoo/experiments/012-melody-location.md)."""

# Chosen on voice_pages, with the figures of both halves seen (docs/notation.md).
OPENING_WEIGHT: Final = 0.5
PAUSE_COST: Final = 1.5
SLIP_COST: Final = 4.0
PAUSE_TICKS: Final = 6
"""After a note of this length a change of phase costs ``PAUSE_COST``, otherwise ``SLIP_COST``."""

LONGEST_END_TICKS: Final = 16

LONGEST_PARTS: Final = 25_000 * QUARTER_PARTS
"""Four hours at 100 quarters a minute; memory grows by a kilobyte for each tick."""


@dataclass(frozen=True, slots=True)
class Melody:
    """N located notes, one at a time.

    Attributes
    ----------
    onset_s : np.ndarray, shape (N,), ascending
    duration_s : np.ndarray, shape (N,)
    pitch : np.ndarray of int, shape (N,)
    positions : np.ndarray of int, shape (N,), not descending
        In 24ths of a quarter.
    tonic : int
        Pitch class of the key's tonic.
    interval : np.ndarray, shape (N, len(INTERVALS))
        The score network's log probability of the written interval after each note.
    """

    onset_s: Floats
    duration_s: Floats
    pitch: Indices
    positions: Indices
    tonic: int
    interval: Floats


@dataclass(frozen=True, slots=True)
class NoteSlip:
    """Bars that may begin later from a note on, by parts, or earlier if negative.

    ``weight`` is that of a :class:`~.melody_slips.TickSlip`.
    """

    note: int
    parts: int
    weight: float


@dataclass(frozen=True, slots=True)
class MelodyReading:
    """A melody in bars.

    Attributes
    ----------
    positions : np.ndarray of int, shape (N,), not descending
        Written positions in 24ths of a quarter, in the values of this reading.
    bars : Bars
    score : float
        Logarithmic, up to a constant.
    slips : tuple of NoteSlip
        Where its bar lines may have slipped; only of the best bars of a metre.
    """

    positions: Indices
    bars: Bars
    score: float
    slips: tuple[NoteSlip, ...] = ()


def spans_a_grid(positions: Indices) -> bool:
    """Return whether positions, ascending, differ, and are not too far apart for a grid."""
    return 0 < int(positions[-1] - positions[0]) <= LONGEST_PARTS


class MelodyBarReader:
    """Runs the network and the search.

    Parameters
    ----------
    weights : Path
        File with the weights of a :class:`~.melody_network.MelodyBarNetwork`.
    """

    def __init__(self, weights: Path) -> None:
        self._network = load_network(weights, MelodyBarNetwork)
        self._bias = self._network.metre_bias.detach().double().numpy()
        self._opening = OPENING_WEIGHT * self._network.opening.double().numpy()
        self._step = self._network.step.double().numpy()
        self._beginning = self._network.beginning.double().numpy()

    def read(self, melody: Melody) -> list[MelodyReading]:
        """Return the readings, the best first, no two of the same metre, tempo and first bar line.

        Parameters
        ----------
        melody : Melody
            Its positions must pass :func:`spans_a_grid`. They are read only if those of
            :func:`.locate_melody` do not pass it.
        """
        readings = [
            replace(reading, score=reading.score + TIMING_WEIGHT * timing)
            for positions, timing in self._locate(melody)
            for scale in SCALES
            for reading in self._read_scaled(replace(melody, positions=positions), scale)
        ]
        readings.sort(key=lambda reading: -reading.score)
        return _drop_alike(readings, melody.onset_s)

    def _locate(self, melody: Melody) -> list[tuple[Indices, float]]:
        """Return the likely ways to locate the notes, all different, and their timing."""
        located = locate_melody(melody.onset_s, melody.interval, self._step, self._beginning)
        located = [location for location in located if spans_a_grid(location.positions)]
        if not located:
            return [(melody.positions, 0.0)]
        best = max(location.timing for location in located)
        found: dict[bytes, tuple[Indices, float]] = {}
        for location in located:
            if location.timing >= best - MOST_BEHIND:
                first = location.positions[0] // TICK_PARTS * TICK_PARTS
                relative = (location.positions - first).tobytes()
                found.setdefault(relative, (location.positions, location.timing))
        return list(found.values())

    def _read_scaled(self, melody: Melody, scale: float) -> list[MelodyReading]:
        """Return readings in scaled values: for each metre the best, and those that are shifted."""
        first_part = int(melody.positions[0]) // TICK_PARTS * TICK_PARTS
        parts = melody.positions - first_part
        distinct, kept = np.unique(parts, return_index=True)
        onset_s = melody.onset_s[kept]
        part_s = float(np.median(np.diff(onset_s) / np.diff(distinct)))
        ends_s = onset_s + melody.duration_s[kept]
        last_part = distinct[-1] + melody.duration_s[kept[-1]] / part_s
        ends = np.interp(ends_s, onset_s, distinct, right=last_part)
        ticks = distinct * scale / TICK_PARTS
        durations = np.maximum(ends - distinct, 2.0) * scale / TICK_PARTS
        count = int(ticks[-1]) + int(np.clip(durations[-1], 1, LONGEST_END_TICKS)) + 1
        features = describe_melody(ticks, durations, melody.pitch[kept], melody.tonic, count)
        with torch.inference_mode():
            potentials = self._network(torch.from_numpy(features)[None])[0].double().numpy()
        costs = np.full(count, np.inf)
        note_ticks = np.minimum(np.round(ticks).astype(np.int64), count - 1)
        steps = np.diff(distinct, prepend=distinct[0]) / TICK_PARTS
        costs[note_ticks] = np.where(steps >= PAUSE_TICKS, PAUSE_COST, SLIP_COST)
        quarter_bpm = scale * 60.0 / (QUARTER_PARTS * part_s)
        scaled = (parts * scale).astype(np.int64)
        readings = []
        for metre, (first, length) in enumerate(zip(FIRST_PLACE, BAR_TICKS, strict=True)):
            own, opening = potentials[first : first + length], self._opening[first : first + length]
            score, phases = _find_phases(own, opening, costs)
            found = find_slips(own, phases, costs, SHARPNESS)
            slips = tuple(_express_slip(slip, scaled, length) for slip in found)
            score += self._bias[metre] + METRE_ODDS[metre] + _log_tempo(METRES[metre], quarter_bpm)
            for shift, behind in enumerate(_shift_bars(own, opening, phases)):
                if behind < SHIFT_BEHIND:
                    shifted = (phases + shift) % length
                    reading = _write_bars(scaled, shifted, metre, score - behind)
                    readings.append(reading if shift else replace(reading, slips=slips))
        return readings


def _shift_bars(potentials: Floats, opening: Floats, phases: Indices) -> Floats:
    """Return by how much the score falls if all bars begin later by 0, 1, ... ticks, shape (L,).

    Parameters
    ----------
    potentials : np.ndarray, shape (L, T)
    opening : np.ndarray, shape (L,)
    phases : np.ndarray of int, shape (T,)
        Those of the best bars.
    """
    length, count = potentials.shape
    ticks, shifts = np.arange(count), np.arange(length)
    places = (ticks - phases - shifts[:, None]) % length
    scores = potentials[places, ticks].sum(axis=1) + opening[(phases[0] + shifts) % length]
    return np.asarray(scores[0] - scores, np.float64)


def _drop_alike(readings: Sequence[MelodyReading], onset_s: Floats) -> list[MelodyReading]:
    """Return the first reading of each metre, tempo to half an octave, and first place in a bar."""
    found: dict[tuple[tuple[int, int], int, int], MelodyReading] = {}
    usual = _find_quarter(readings[0].positions, onset_s)
    for reading in readings:
        octaves = np.log2(_find_quarter(reading.positions, onset_s) / usual)
        place = int(reading.positions[0]) - reading.bars.lines[0]
        found.setdefault((reading.bars.metre, round(2 * float(octaves)), place), reading)
    return list(found.values())


def _find_quarter(positions: Indices, onset_s: Floats) -> float:
    """Return the median duration of a quarter in seconds."""
    steps = np.diff(positions)
    moved = steps > 0
    return float(np.median(np.diff(onset_s)[moved] / steps[moved])) * QUARTER_PARTS


def _log_tempo(metre: tuple[int, int], quarter_bpm: float) -> float:
    """Return the log probability of a tempo, up to a constant."""
    if metre[1] == 4:
        octaves = np.log2(quarter_bpm / USUAL_BPM) / USUAL_OCTAVES
    else:
        octaves = np.log2(quarter_bpm * 2 / 3 / COMPOUND_BPM) / COMPOUND_OCTAVES
    return float(-0.5 * octaves**2)


def _write_bars(parts: Indices, phases: Indices, metre: int, score: float) -> MelodyReading:
    """Return the reading in which every bar has the length of the metre.

    Parameters
    ----------
    parts : np.ndarray of int, shape (N,)
        Positions in 24ths from the first tick.
    phases : np.ndarray of int, shape (T,)
        Tick, modulo the length of a bar, at which bars begin, as of each tick.
    """
    length = BAR_TICKS[metre]
    ticks = np.minimum(parts // TICK_PARTS, len(phases) - 1)
    gaps = np.diff(parts) // TICK_PARTS
    moved = (np.diff(phases[ticks]) + length // 2) % length - length // 2
    moved = np.where(moved >= np.maximum(gaps, 1), moved - length, moved)
    positions = parts - TICK_PARTS * np.concatenate([[0], np.cumsum(moved)])
    begin = int(phases[0])
    start = (begin - length if begin else 0) * TICK_PARTS
    step = length * TICK_PARTS
    lines = tuple(range(start, int(positions.max()) + step + 1, step))
    return MelodyReading(positions, Bars(lines, METRES[metre]), score)


def _express_slip(slip: TickSlip, parts: Indices, length: int) -> NoteSlip:
    """Return a slip by its note, by the shorter way round a bar of so many ticks.

    No note may come before the one in front of it; the other way is taken instead.
    """
    note = int(np.searchsorted(parts // TICK_PARTS, slip.tick))
    note = min(note, len(parts) - 1)
    gap = int(parts[note] - parts[max(note - 1, 0)]) // TICK_PARTS
    shift = slip.shift if slip.shift <= length // 2 else slip.shift - length
    if shift >= max(gap, 1):
        shift -= length
    return NoteSlip(note, shift * TICK_PARTS, slip.weight)


@njit(cache=True)
def _find_phases(potentials: Floats, opening: Floats, costs: Floats) -> tuple[float, Indices]:
    """Return the best score, and the phase at each tick.

    Parameters
    ----------
    potentials : np.ndarray, shape (L, T)
        Potentials of the places in a bar of L ticks.
    opening : np.ndarray, shape (L,)
        Log probability of the first phase.
    costs : np.ndarray, shape (T,)
        Cost of changing the phase at each tick; infinite where no note begins.
    """
    length, count = potentials.shape
    scores = np.empty(length)
    for phase in range(length):
        place = -phase % length
        scores[phase] = opening[phase] + potentials[place, 0]
    changed_from = np.full((count, length), -1)
    for tick in range(1, count):
        best = int(np.argmax(scores))
        jump = scores[best] - costs[tick]
        for phase in range(length):
            if jump > scores[phase]:
                scores[phase] = jump
                changed_from[tick, phase] = best
            scores[phase] += potentials[(tick - phase) % length, tick]
    phase = int(np.argmax(scores))
    total = scores[phase]
    phases = np.zeros(count, np.int64)
    for tick in range(count - 1, -1, -1):
        phases[tick] = phase
        if changed_from[tick, phase] >= 0:
            phase = changed_from[tick, phase]
    return total, phases
