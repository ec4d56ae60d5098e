"""Locate the notes of a melody in the bars of every metre, as singers time them.

A hidden Markov model for each metre, of the form of :mod:`.locate`. A state is a place in the bar
and a tempo, which drifts. A transition is a written step to the next note; its probability given
the place is counted in the corpora, and weighed with the score network's prediction of the step.

Singers without accompaniment keep a steadier tempo than the players of :mod:`.locate`, apart from
single notes: they hurry, and breathe between phrases for as long as they like. The time between two
notes is therefore a mixture of a narrow and a wide distribution, the wide one likelier for long
notes and wider for notes that come late.

All metres locate the notes, mostly in few different ways. Which is right is decided together with
the bars (:mod:`.melody_bars`), where the likelihood of the timing alone is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.locate import classify_steps
from inference_service.rhythm.from_notes.score_network import (
    METRES,
    QUARTER_PARTS,
    TEMPI_LOG2_S,
)

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

# Tempi, as the median of beats a minute and a deviation in octaves. Set by hand, and looked at on
# voice_pages.
USUAL_BPM: Final = 95.0
COMPOUND_BPM: Final = 70.0
TEMPO_OCTAVES: Final = 0.45

# Chosen on simulated singers of held-out melodies, and on the half of voice_pages to choose on
# (model_zoo/experiments/012-melody-location.md).
DRIFT_OCTAVES: Final = 0.05
"""Standard deviation of the tempo drift over a quarter note."""

TIMING_S: Final = 0.03
TIMING_SHARE: Final = 0.04
"""Standard deviation of a step: a constant in seconds, plus a share of the step."""

EARLY_S, EARLY_SHARE = 0.06, 0.12
LATE_S, LATE_SHARE = 0.12, 0.25
"""Deviations of the wide distribution, for steps that are too short and too long."""

WIDE: Final = 0.03
WIDE_LONG: Final = 0.12
LONG_PARTS: Final = 36
"""Probability of the wide distribution; ``WIDE_LONG`` for steps from ``LONG_PARTS`` on."""

STEP_WEIGHT: Final = 0.6
"""Weight of the score network's log probability of a step."""

PAUSE_COST: Final = 6.0
"""Cost of a pause of more than six quarters, which is read as whole bars."""

LONGEST_STEP: Final = 8 * QUARTER_PARTS
"""In 24ths of a quarter. Steps are even, as are the places in a bar."""

STEPS: Final = LONGEST_STEP // 2 + 2
"""Classes of steps: half their length in 24ths of a quarter; the last is for longer ones."""

_SIMPLE_PLACES: Final = (0, 6, 8, 12, 16, 18)
_COMPOUND_UNIT: Final = 6
_REACH_BINS: Final = 4


def _list_places(metre: tuple[int, int]) -> Indices:
    beats, unit = metre
    if unit == 8:
        return np.arange(0, beats * QUARTER_PARTS // 2, _COMPOUND_UNIT)
    return np.array([QUARTER_PARTS * q + p for q in range(beats) for p in _SIMPLE_PLACES])


BAR_PARTS: Final = tuple(4 * QUARTER_PARTS * beats // unit for beats, unit in METRES)
"""Length of a bar in each metre, in 24ths of a quarter."""

BAR_PLACES: Final = tuple(_list_places(metre) for metre in METRES)
"""Places in the bar of each metre at which notes may begin, in 24ths of a quarter."""

FIRST_ROW: Final = tuple(int(n) for n in np.cumsum([0, *map(len, BAR_PLACES)]))
"""Index of each metre's first place among the places of all metres, and their number."""

_CLASSES, _PRICES = classify_steps(np.maximum(2 * np.arange(STEPS), 1))


@dataclass(frozen=True, slots=True)
class Location:
    """N located notes.

    Attributes
    ----------
    positions : np.ndarray of int, shape (N,), ascending
        In 24ths of a quarter.
    timing : float
        Log likelihood of the times, given the positions.
    """

    positions: Indices
    timing: float


def locate_melody(
    onset_s: Floats, interval: Floats, step: Floats, beginning: Floats
) -> list[Location]:
    """Return how the notes are located in each metre.

    Parameters
    ----------
    onset_s : np.ndarray, shape (N,), N >= 1, ascending
    interval : np.ndarray, shape (N, len(INTERVALS))
        The score network's log probability of the interval after each note.
    step : np.ndarray, shape (FIRST_ROW[-1], STEPS)
        Log probability of a step, given the place in a bar.
    beginning : np.ndarray, shape (FIRST_ROW[-1],)
        Log probability of the place of the first note.
    """
    network = STEP_WEIGHT * (interval[:, _CLASSES] - _PRICES)
    spreads = np.array(
        [TIMING_S, TIMING_SHARE, EARLY_S, EARLY_SHARE, LATE_S, LATE_SHARE, WIDE, WIDE_LONG]
    )
    found = []
    for metre, (_, unit) in enumerate(METRES):
        rows = slice(FIRST_ROW[metre], FIRST_ROW[metre + 1])
        quarter_s = 60 / USUAL_BPM if unit == 4 else 40 / COMPOUND_BPM
        tempo = -0.5 * ((TEMPI_LOG2_S - np.log2(quarter_s)) / TEMPO_OCTAVES) ** 2
        positions, timing = _search(
            np.ascontiguousarray(onset_s),
            BAR_PLACES[metre],
            BAR_PARTS[metre],
            step[rows],
            beginning[rows],
            tempo,
            network,
            DRIFT_OCTAVES,
            spreads,
        )
        found.append(Location(positions, timing))
    return found


@njit(cache=True)
def _log_timing(gap_s: float, expected_s: float, is_long: bool, spreads: Floats) -> float:
    """Return the log probability density of the time that a step takes."""
    timing_s, timing_share, early_s, early_share, late_s, late_share, short, long = spreads
    error_s = gap_s - expected_s
    narrow_s = timing_s + timing_share * expected_s
    early_s = early_s + early_share * expected_s
    late_s = late_s + late_share * expected_s
    wide_s = late_s if error_s > 0 else early_s
    wide = long if is_long else short
    density = (1 - wide) / narrow_s * np.exp(-0.5 * (error_s / narrow_s) ** 2)
    density += wide * 2 / (early_s + late_s) * np.exp(-0.5 * (error_s / wide_s) ** 2)
    return float(np.log(density + 1e-9))


@njit(cache=True)
def _search(
    onset_s: Floats,
    bar_places: Indices,
    bar_parts: int,
    step: Floats,
    beginning: Floats,
    tempo: Floats,
    network: Floats,
    drift: float,
    spreads: Floats,
) -> tuple[Indices, float]:
    """Return positions, and the log likelihood of the timing, tempo drift included."""
    count, places, tempi = len(onset_s), len(bar_places), len(TEMPI_LOG2_S)
    place_at = np.full(bar_parts, -1)
    for p in range(places):
        place_at[bar_places[p]] = p
    total = np.empty((places, tempi))
    for p in range(places):
        for k in range(tempi):
            total[p, k] = beginning[p] + tempo[k]
    from_place = np.zeros((count, places, tempi), np.int8)
    from_tempo = np.zeros((count, places, tempi), np.int8)
    from_step = np.zeros((count, places, tempi), np.int16)
    drifted = np.empty((places, tempi))
    drifted_from = np.zeros((places, tempi), np.int8)
    for i in range(1, count):
        gap_s = max(onset_s[i] - onset_s[i - 1], 1e-3)
        for k in range(tempi):
            variance = drift * drift * min(max(gap_s / 2.0 ** TEMPI_LOG2_S[k], 0.1), 4.0)
            for p in range(places):
                best, arg = -1e18, k
                for j in range(max(0, k - _REACH_BINS), min(tempi, k + _REACH_BINS + 1)):
                    change = TEMPI_LOG2_S[k] - TEMPI_LOG2_S[j]
                    value = total[p, j] - 0.5 * change * change / variance
                    if value > best:
                        best, arg = value, j
                drifted[p, k] = best
                drifted_from[p, k] = arg
        fresh = np.full((places, tempi), -1e18)
        for k in range(tempi):
            quarter_s = 2.0 ** TEMPI_LOG2_S[k]
            shortest = max(2, int((0.4 * gap_s - 0.8) / quarter_s * 24) // 2 * 2)
            longest = min(LONGEST_STEP, int((1.35 * gap_s + 0.15) / quarter_s * 24) + 2)
            for s in range(shortest, longest + 1, 2):
                likelihood = _log_timing(gap_s, s * quarter_s / 24, s >= LONG_PARTS, spreads)
                if likelihood < -12.0:
                    continue
                likelihood += network[i - 1, s // 2]
                for p in range(places):
                    q = place_at[(bar_places[p] + s) % bar_parts]
                    if q < 0:
                        continue
                    value = drifted[p, k] + likelihood + step[p, s // 2]
                    if value > fresh[q, k]:
                        fresh[q, k] = value
                        from_place[i, q, k] = p
                        from_tempo[i, q, k] = drifted_from[p, k]
                        from_step[i, q, k] = s
            if gap_s > 6 * quarter_s:
                for p in range(places):
                    value = total[p, k] + step[p, STEPS - 1] - PAUSE_COST
                    if value > fresh[p, k]:
                        fresh[p, k] = value
                        from_place[i, p, k] = p
                        from_tempo[i, p, k] = k
                        from_step[i, p, k] = -1
        top = fresh.max()
        if top < -1e17:  # no step explains this gap: start afresh, whole bars later
            for p in range(places):
                for k in range(tempi):
                    fresh[p, k] = total[p, k] - 30.0
                    from_place[i, p, k] = p
                    from_tempo[i, p, k] = k
                    from_step[i, p, k] = -1
            top = fresh.max()
        total[:] = fresh - top
    best = int(np.argmax(total))
    p, k = best // tempi, best % tempi
    moves = np.zeros(count, np.int64)
    timing = 0.0
    for i in range(count - 1, 0, -1):
        gap_s = max(onset_s[i] - onset_s[i - 1], 1e-3)
        quarter_s = 2.0 ** TEMPI_LOG2_S[k]
        moved, before = from_step[i, p, k], from_tempo[i, p, k]
        if moved < 0:
            moves[i] = bar_parts * max(1, round(gap_s / quarter_s * 24 / bar_parts))
            timing -= PAUSE_COST
        else:
            moves[i] = moved
            timing += _log_timing(gap_s, moved * quarter_s / 24, moved >= LONG_PARTS, spreads)
            change = TEMPI_LOG2_S[k] - TEMPI_LOG2_S[before]
            variance = drift * drift * min(max(gap_s / quarter_s, 0.1), 4.0)
            timing -= 0.5 * change * change / variance
        p, k = from_place[i, p, k], before
    moves[0] = bar_places[p]
    return np.cumsum(moves), timing
