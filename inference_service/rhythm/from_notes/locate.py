"""Locate every attack in the written music, by a search over positions and tempi.

A hidden Markov model over attacks. A state is the position of an attack within a quarter note (one
of the network's :data:`~.score_network.PLACES`) and the local tempo. A transition is a written
interval, which must explain the elapsed time at the tempo of the new state; the tempo may drift.
Likelihoods of position, interval and tempo come from the network. The form is that of the metrical
hidden Markov models of Raphael, "A hybrid graphical model for rhythmic parsing" (Artificial
Intelligence 137, 2002) and Nakamura, Yoshii and Sagayama (IEEE/ACM TASLP 25:4, 2017).

This serves music whose beats are unknown; where they are known, see :mod:`.placement`.

Weights and spreads were chosen on the tuning half of ASAP (docs/notation.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.score_network import (
    INTERVALS,
    PLACES,
    QUARTER_PARTS,
    TEMPI_LOG2_S,
)

Floats = NDArray[np.float64]

PLACE_WEIGHT: Final = 1.0
INTERVAL_WEIGHT: Final = 0.8
TEMPO_WEIGHT: Final = 0.15
USUAL_LOG2_S: Final = -0.74
"""Centre of the tempo prior, in octaves of seconds per quarter: 100 quarters per minute. It decides
between half and double tempo."""

PREFERENCE_OCTAVES: Final = 0.8
PREFERENCE_WEIGHT: Final = 0.6
"""Width and weight of the tempo prior."""

DRIFT_OCTAVES: Final = 0.12
"""Standard deviation of the tempo drift over a quarter note."""

TIMING_S: Final = 0.025
TIMING_SHARE: Final = 0.05
"""Standard deviation of an interval: a constant in seconds, plus a share of the interval."""

LONGEST_PARTS: Final = 16 * QUARTER_PARTS
PAUSE_COST: Final = 4.0
"""Cost of a longer silence, which is read as whole quarters at the tempo before it."""

_REACH_BINS: Final = 5
_NOTHING: Final = -1e18


def _build_steps() -> NDArray[np.int64]:
    """Return the intervals that the search considers, in 24ths of a quarter, coarser if longer."""
    steps = [0, 3, 4, 6, 8, 9]
    steps += [s for s in range(10, 4 * QUARTER_PARTS + 1) if s % 3 == 0 or s % 4 == 0]
    steps += list(range(4 * QUARTER_PARTS + 12, LONGEST_PARTS + 1, 12))
    return np.array(sorted(set(steps)), np.int64)


def classify_steps(steps: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """Return the class of each interval, and the cost of its difference from the class."""
    values = np.array([float(f) * QUARTER_PARTS for f in INTERVALS])
    classes = np.abs(steps[:, None] - values[None, :]).argmin(1)
    distance = np.abs(steps - values[classes])
    classes[steps > values[-2] + 12] = len(INTERVALS) - 1
    price = np.where(distance > 0.5, 2.0, 0.0)
    price[steps > values[-1]] = 1.0 + 0.3 * np.log2(steps[steps > values[-1]] / values[-1])
    return classes, price


STEPS: Final = _build_steps()
_CLASSES, _PRICES = classify_steps(STEPS)
_PLACE_OF: Final = np.array(
    [PLACES.index(p) if p in PLACES else -1 for p in range(QUARTER_PARTS)], np.int64
)
_PLACES: Final = np.array(PLACES, np.int64)


def locate(onset_s: Floats, place: Floats, interval: Floats, tempo: Floats) -> NDArray[np.int64]:
    """Return the written position of each attack in 24ths of a quarter, the first in quarter 0.

    Parameters
    ----------
    onset_s : np.ndarray, shape (A,), ascending
    place : np.ndarray, shape (A, len(PLACES))
    interval : np.ndarray, shape (A, len(INTERVALS))
        Interval from attack ``i`` to ``i + 1``.
    tempo : np.ndarray, shape (A, TEMPO_BINS)
        This, ``place`` and ``interval`` are log probabilities.
    """
    if not len(onset_s):
        return np.zeros(0, np.int64)
    preference = 0.5 * ((TEMPI_LOG2_S - USUAL_LOG2_S) / PREFERENCE_OCTAVES) ** 2
    return _search(
        np.ascontiguousarray(onset_s),
        PLACE_WEIGHT * place,
        INTERVAL_WEIGHT * interval[:, _CLASSES] - _PRICES,
        TEMPO_WEIGHT * tempo - PREFERENCE_WEIGHT * preference,
        np.array([DRIFT_OCTAVES, TIMING_S, TIMING_SHARE]),
    )


@njit(cache=True)
def _search(
    onset_s: Floats, place: Floats, interval: Floats, tempo: Floats, spreads: Floats
) -> NDArray[np.int64]:
    drift, timing_s, timing_share = spreads
    count, places, tempi, steps = len(onset_s), len(_PLACES), len(TEMPI_LOG2_S), len(STEPS)
    total = np.empty((places, tempi))
    for p in range(places):
        for k in range(tempi):
            total[p, k] = place[0, p] + tempo[0, k]
    from_place = np.zeros((count, places, tempi), np.int16)
    from_tempo = np.zeros((count, places, tempi), np.int16)
    from_step = np.zeros((count, places, tempi), np.int16)
    drifted = np.empty((places, tempi))
    drifted_from = np.zeros((places, tempi), np.int16)
    for i in range(1, count):
        gap_s = max(onset_s[i] - onset_s[i - 1], 1e-3)
        for p in range(places):
            for k in range(tempi):
                # The tempo drifts over the elapsed time, in quarters of the new tempo.
                quarters = min(max(gap_s / 2.0 ** TEMPI_LOG2_S[k], 0.1), 4.0)
                variance = drift * drift * quarters
                best, arg = -1e18, k
                for j in range(max(0, k - _REACH_BINS), min(tempi, k + _REACH_BINS + 1)):
                    step = TEMPI_LOG2_S[k] - TEMPI_LOG2_S[j]
                    value = total[p, j] - 0.5 * step * step / variance
                    if value > best:
                        best, arg = value, j
                drifted[p, k] = best - 0.5 * np.log(variance)
                drifted_from[p, k] = arg
        fresh = np.full((places, tempi), -1e18)
        for k in range(tempi):
            quarter_s = 2.0 ** TEMPI_LOG2_S[k]
            for s in range(steps):
                expected_s = STEPS[s] * quarter_s / 24.0
                deviation_s = timing_s + timing_share * expected_s
                miss = (gap_s - expected_s) / deviation_s
                if miss > 4.5 or miss < -4.5:
                    continue
                gain = interval[i - 1, s] - 0.5 * miss * miss - np.log(deviation_s)
                for p in range(places):
                    q = _PLACE_OF[(_PLACES[p] + STEPS[s]) % 24]
                    if q < 0:
                        continue
                    value = drifted[p, k] + gain
                    if value > fresh[q, k]:
                        fresh[q, k] = value
                        from_place[i, q, k] = p
                        from_tempo[i, q, k] = drifted_from[p, k]
                        from_step[i, q, k] = s
            if gap_s > LONGEST_PARTS * quarter_s / 24.0:
                gain = interval[i - 1, steps - 1] - PAUSE_COST
                gain -= np.log(timing_s + timing_share * gap_s)
                for p in range(places):
                    value = total[p, k] + gain
                    if value > fresh[p, k]:
                        fresh[p, k] = value
                        from_place[i, p, k] = p
                        from_tempo[i, p, k] = k
                        from_step[i, p, k] = -1
        top = -1e18
        for q in range(places):
            for k in range(tempi):
                fresh[q, k] += place[i, q] + tempo[i, k]
                top = max(top, fresh[q, k])
        if top < -1e17:  # no interval explains this gap: start afresh, a quarter later
            for q in range(places):
                for k in range(tempi):
                    fresh[q, k] = total[q, k] - 50.0
                    from_place[i, q, k] = q
                    from_tempo[i, q, k] = k
                    from_step[i, q, k] = -1
            top = fresh.max()
        for q in range(places):
            for k in range(tempi):
                total[q, k] = fresh[q, k] - top
    best, p, k = -1e18, 0, 0
    for q in range(places):
        for j in range(tempi):
            if total[q, j] > best:
                best, p, k = total[q, j], q, j
    moves = np.zeros(count, np.int64)
    for i in range(count - 1, 0, -1):
        step = from_step[i, p, k]
        if step < 0:  # the number of whole quarters that fits the time
            gap_s = onset_s[i] - onset_s[i - 1]
            moves[i] = 24 * max(1, round(gap_s / 2.0 ** TEMPI_LOG2_S[k]))
        else:
            moves[i] = STEPS[step]
        p, k = from_place[i, p, k], from_tempo[i, p, k]
    moves[0] = _PLACES[p]
    return np.cumsum(moves)
