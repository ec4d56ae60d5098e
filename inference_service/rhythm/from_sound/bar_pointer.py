"""Decode beats and bars from a network's activations: the most probable path of a bar pointer.

The pointer moves through bars of 2, 3, 4 or 6 beats at 40 to 240 beats per minute. It may change
its tempo at beats, and the number of beats at bar lines, each at a cost. This is the model of
Krebs, Böck and Widmer, "An efficient state space model for joint tempo and meter tracking" (ISMIR
2015).
Its states between beats only count frames. They are omitted here, and the dynamic programming steps
from beat to beat instead (a hidden semi-Markov model), which yields the same best path with a
sixtieth of the states. Intervals that differ by one frame count as the same tempo, since frames
resolve tempi no better.

Given the probabilities ``b`` of a beat and ``d`` of a downbeat at a frame, a beat there gains
``log(b / (1 - b))``, clipped, plus :data:`BEAT_BIAS`. With ``r = d / b``, it further gains
``log r`` if it is a downbeat, else ``log(1 - r)``. A tempo prior decides between a tempo and its
double.

Constants were chosen on songs and recordings that no figure is stated for; see
``model_zoo/experiments/001-beats.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

MIN_BPM: Final = 40.0
MAX_BPM: Final = 240.0
BAR_LENGTHS: Final = (4, 3, 2, 6)

BEAT_BIAS: Final = -0.3
MAX_LOG_ODDS: Final = 4.0
MAX_DOWNBEAT_LOG_ODDS: Final = 4.0
TEMPO_PRICE: Final = 50.0
"""Cost of a change of tempo, times the relative change of the interval."""

FRAME_PRICE: Final = 0.3
"""Cost of a change by one frame, which is usually due to rounding."""

MAX_TEMPO_CHANGE: Final = 0.25
PRIOR_BPM: Final = 80.0
PRIOR_OCTAVES: Final = 0.5
PRIOR_PRICE: Final = 0.35
"""Cost per second of a tempo that is ``PRIOR_OCTAVES`` away from ``PRIOR_BPM``."""

BAR_CHANGE_PRICE: Final = 6.0
BAR_PRICES: Final = {4: 0.0, 3: 0.0, 2: 1.6, 6: 2.0}
"""Cost of a bar, by its number of beats."""

NEVER: Final = -1e30

Activation = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BarPath:
    """Decoded beats.

    Attributes
    ----------
    frames : np.ndarray of int, shape (B,)
        Frames of the beats, ascending.
    positions : np.ndarray of int, shape (B,)
        Positions in the bar, 1 for the downbeat.
    lengths : np.ndarray of int, shape (B,)
        Number of beats in the bar of each beat.
    """

    frames: NDArray[np.int64]
    positions: NDArray[np.int64]
    lengths: NDArray[np.int64]


def decode_bars(beat: Activation, downbeat: Activation, frames_per_s: float) -> BarPath:
    """Decode the most probable beats and bars.

    Parameters
    ----------
    beat, downbeat : np.ndarray, shape (T,), float in [0, 1]
        Probabilities. A downbeat is also a beat.
    frames_per_s : float

    Returns
    -------
    BarPath
        The first beat lies within one interval of the beginning, the last within one of the end.
        Empty if there is no room for two beats.
    """
    intervals = np.arange(
        int(np.ceil(60.0 / MAX_BPM * frames_per_s)), int(60.0 / MIN_BPM * frames_per_s) + 1
    )
    if len(beat) <= intervals[0]:
        empty = np.zeros(0, np.int64)
        return BarPath(empty, empty, empty)
    plain, first = score_beats(beat, downbeat)
    lengths = np.repeat(BAR_LENGTHS, BAR_LENGTHS)
    places = np.concatenate([np.arange(length) for length in BAR_LENGTHS])
    prices = np.repeat([BAR_PRICES[length] / length for length in BAR_LENGTHS], BAR_LENGTHS)
    gains = np.where(places[None, :] == 0, first[:, None], plain[:, None]) - prices
    frames, states = _find_path(gains, places, intervals, _tempo_prices(intervals, frames_per_s))
    return BarPath(frames, places[states] + 1, lengths[states])


def score_beats(beat: Activation, downbeat: Activation) -> tuple[Activation, Activation]:
    """Return the gain of a beat at each frame, as a beat other than the downbeat and as a downbeat.

    Both arrays have shape (T,).
    """
    likely = np.clip(beat, 1e-6, 1.0 - 1e-6)
    odds = np.clip(np.log(likely / (1.0 - likely)), -MAX_LOG_ODDS, MAX_LOG_ODDS) + BEAT_BIAS
    ratio = np.clip(downbeat / likely, 1e-6, 1.0 - 1e-6)
    tilt = np.log(ratio / (1.0 - ratio))
    tilt = np.clip(tilt, -MAX_DOWNBEAT_LOG_ODDS, MAX_DOWNBEAT_LOG_ODDS)
    # Without a beat, the ratio says nothing about downbeats.
    tilt *= np.clip(likely * 4.0, 0.0, 1.0)
    return odds - np.logaddexp(0.0, tilt), odds - np.logaddexp(0.0, -tilt)


def _tempo_prices(intervals: NDArray[np.int64], frames_per_s: float) -> NDArray[np.float64]:
    """Return the cost of an interval (column) after another (row)."""
    change = np.abs(intervals[None, :] - intervals[:, None])
    prices = FRAME_PRICE * np.minimum(change, 1)
    prices += TEMPO_PRICE * np.maximum(change - 1, 0) / intervals[:, None]
    prices[(change > 1) & (change > MAX_TEMPO_CHANGE * intervals[:, None])] = -NEVER
    intervals_s = intervals / frames_per_s
    octaves = np.log2(60.0 / intervals_s / PRIOR_BPM) / PRIOR_OCTAVES
    priced: NDArray[np.float64] = prices + PRIOR_PRICE * intervals_s * octaves**2
    return priced


@njit(cache=True, nogil=True)
def _find_path(
    gains: NDArray[np.float64],
    places: NDArray[np.int64],
    intervals: NDArray[np.int64],
    prices: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return frames and states of the beats on the best path (Viterbi).

    A state is a beat of a bar of one of the lengths, and ``places`` its 0-based position in the
    bar. ``gains``, shape (T, S), is the gain of a beat in state s at frame t.
    """
    frame_count, state_count = gains.shape
    tempo_count = len(intervals)
    longest = intervals[-1]
    # leaving[t, s, i]: total of the best path with a beat in state s at t and next interval i
    leaving = np.full((longest + 1, state_count, tempo_count), NEVER)
    came_interval = np.zeros((frame_count, state_count, tempo_count), np.int8)
    came_state = np.zeros((frame_count, state_count, tempo_count), np.int8)
    lasts = np.zeros(state_count, np.bool_)
    for state in range(state_count):
        lasts[state] = state + 1 == state_count or places[state + 1] == 0
    arriving = np.full((state_count, tempo_count), NEVER)
    best_total, best_frame, best_state, best_tempo = NEVER, -1, -1, -1
    for t in range(frame_count):
        row = t % (longest + 1)
        for tempo in range(tempo_count):
            interval = intervals[tempo]
            before = t - interval
            entering, enters_from = NEVER, 0
            if before >= 0:
                back = before % (longest + 1)
                for state in range(state_count):
                    if lasts[state] and leaving[back, state, tempo] > entering:
                        entering, enters_from = leaving[back, state, tempo], state
                entering -= BAR_CHANGE_PRICE
            for state in range(state_count):
                total, source = NEVER, state
                if before < 0:
                    total = 0.0  # the first beat
                    source = -1
                elif places[state] > 0:
                    total, source = leaving[back, state - 1, tempo], state - 1
                else:
                    last = state
                    while not lasts[last]:
                        last += 1
                    total, source = leaving[back, last, tempo], last
                    if entering > total:
                        total, source = entering, enters_from
                arriving[state, tempo] = total + gains[t, state]
                came_state[t, state, tempo] = source
                if t + interval >= frame_count and arriving[state, tempo] > best_total:
                    best_total, best_frame = arriving[state, tempo], t
                    best_state, best_tempo = state, tempo
        for state in range(state_count):
            for following in range(tempo_count):
                total, source = NEVER, 0
                for tempo in range(tempo_count):
                    candidate = arriving[state, tempo] - prices[tempo, following]
                    if candidate > total:
                        total, source = candidate, tempo
                leaving[row, state, following] = total
                came_interval[t, state, following] = source
    frames, states = [best_frame], [best_state]
    t, state, tempo = best_frame, best_state, best_tempo
    while came_state[t, state, tempo] >= 0:
        source = came_state[t, state, tempo]
        t -= intervals[tempo]
        state = source
        tempo = came_interval[t, state, tempo]
        frames.append(t)
        states.append(state)
    return np.array(frames[::-1]), np.array(states[::-1])
