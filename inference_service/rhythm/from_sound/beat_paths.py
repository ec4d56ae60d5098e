"""Find sequences of beats at several tempi in a network's beat activation.

For each band of tempi, the sequence with the highest log odds is found by dynamic programming from
beat to beat. A tempo may change at each beat, at a cost. The beats are those of the bar pointer of
Krebs, Böck and Widmer, "An efficient state space model for joint tempo and meter tracking" (ISMIR
2015), without the states between beats, which only count frames. Bars are found afterwards, in
:mod:`.readings`.

Given the probability ``b`` of a beat at a frame, a beat there gains ``log(b / (1 - b))``, clipped,
plus :data:`BEAT_BIAS`. Intervals that differ by one frame count as the same tempo, since frames
resolve tempi no better.

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
BAND_OCTAVES: Final = 0.5
BAND_STEP_OCTAVES: Final = 0.25

BEAT_BIAS: Final = -0.3
MAX_LOG_ODDS: Final = 4.0
TEMPO_PRICE: Final = 50.0
"""Cost of a change of tempo, times the relative change of the interval."""

FRAME_PRICE: Final = 0.3
"""Cost of a change by one frame, which is usually due to rounding."""

SAME_BEATS: Final = 0.8
"""Two sequences with at least this share of beats in common are one."""

NEVER: Final = -1e30

Activation = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BeatPath:
    """A sequence of beats.

    Attributes
    ----------
    frames : np.ndarray of int, shape (B,)
        Frames of the beats, ascending; B >= 2.
    gain : float
        Log odds of the beats, less the costs of changes of tempo.
    """

    frames: NDArray[np.int64]
    gain: float

    @property
    def interval_frames(self) -> float:
        """Mean interval between beats."""
        return float(self.frames[-1] - self.frames[0]) / (len(self.frames) - 1)


def find_paths(beat: Activation, frames_per_s: float) -> list[BeatPath]:
    """Return the best sequence of beats of each tempo, the best first.

    Each begins within one interval of the beginning, and ends within one of the end.

    Parameters
    ----------
    beat : np.ndarray, shape (T,), float in [0, 1]
        Probability of a beat.
    frames_per_s : float
    """
    gains = score_beats(beat)
    found = []
    slowest, fastest = 60.0 / MIN_BPM * frames_per_s, 60.0 / MAX_BPM * frames_per_s
    octaves = float(np.log2(slowest / fastest))
    count = int(np.ceil((octaves - BAND_OCTAVES) / BAND_STEP_OCTAVES)) + 1
    for shortest in fastest * 2.0 ** np.linspace(0.0, octaves - BAND_OCTAVES, count):
        intervals = np.arange(
            int(np.ceil(shortest)), int(shortest * 2.0**BAND_OCTAVES * (1 + 1e-9)) + 1
        )
        if 2 * intervals[-1] >= len(beat):
            continue
        frames, gain = _find_path(gains, intervals, _tempo_prices(intervals))
        if len(frames) >= 2:
            found.append(BeatPath(frames, float(gain)))
    distinct: list[BeatPath] = []
    for path in sorted(found, key=lambda path: -path.gain):
        if all(_share_common(path, other) < SAME_BEATS for other in distinct):
            distinct.append(path)
    return distinct


def score_beats(beat: Activation) -> Activation:
    """Return the gain of a beat at each frame, shape (T,)."""
    likely = np.clip(beat, 1e-6, 1.0 - 1e-6)
    odds = np.log(likely / (1.0 - likely))
    gains: Activation = np.clip(odds, -MAX_LOG_ODDS, MAX_LOG_ODDS) + BEAT_BIAS
    return gains


def _share_common(path: BeatPath, other: BeatPath) -> float:
    """Return the share of the beats of the longer sequence that the other one has too."""
    near = np.abs(path.frames[:, None] - other.frames[None, :]).min(1) <= 2
    return float(near.sum()) / max(len(path.frames), len(other.frames))


def _tempo_prices(intervals: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the cost of an interval (column) after another (row)."""
    change = np.abs(intervals[None, :] - intervals[:, None])
    prices = FRAME_PRICE * np.minimum(change, 1)
    priced: NDArray[np.float64] = (
        prices + TEMPO_PRICE * np.maximum(change - 1, 0) / (intervals[:, None])
    )
    return priced


@njit(cache=True, nogil=True)
def _find_path(
    gains: NDArray[np.float64], intervals: NDArray[np.int64], prices: NDArray[np.float64]
) -> tuple[NDArray[np.int64], float]:
    """Return the frames of the beats on the best path (Viterbi), and its total."""
    frame_count, tempo_count = len(gains), len(intervals)
    longest = intervals[-1]
    # leaving[t, i]: total of the best path with a beat at t and next interval i
    leaving = np.full((longest + 1, tempo_count), NEVER)
    came = np.full((frame_count, tempo_count), -1, np.int16)
    arriving = np.full(tempo_count, NEVER)
    best_total, best_frame, best_tempo = NEVER, -1, -1
    for t in range(frame_count):
        row = t % (longest + 1)
        for tempo in range(tempo_count):
            before = t - intervals[tempo]
            total = 0.0 if before < 0 else leaving[before % (longest + 1), tempo]
            arriving[tempo] = total + gains[t]
            if t + intervals[tempo] >= frame_count and arriving[tempo] > best_total:
                best_total, best_frame, best_tempo = arriving[tempo], t, tempo
        for following in range(tempo_count):
            total, source = NEVER, 0
            for tempo in range(tempo_count):
                candidate = arriving[tempo] - prices[tempo, following]
                if candidate > total:
                    total, source = candidate, tempo
            leaving[row, following] = total
            came[t, following] = source
    frames = [best_frame]
    t, tempo = best_frame, best_tempo
    while t - intervals[tempo] >= 0:
        t -= intervals[tempo]
        tempo = came[t, tempo]
        frames.append(t)
    return np.array(frames[::-1]), best_total
