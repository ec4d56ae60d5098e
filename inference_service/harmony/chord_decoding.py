"""The likeliest sequence of chords, given their likelihoods in every frame.

A hidden Markov model whose chords all follow each other with the same probability: a change costs
:data:`CHANGE_COST`, whatever the chords. It is large since neighbouring frames hear the same sound
and are far from independent. Beats are not known yet when chords are estimated.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

CHANGE_COST: Final = 30.0
"""The published value. On 20 songs, sevenths are within 0.005 of it from 20 to 60."""


def find_path(scores: NDArray[np.float32], change_cost: float = CHANGE_COST) -> NDArray[np.int64]:
    """Return the chord of each frame, shape ``(T,)``.

    Parameters
    ----------
    scores : np.ndarray, shape (T, K), float32, T >= 1
        Log likelihoods.
    change_cost : float
        Negative log probability of a change.
    """
    # numba compiles for each memory layout: one layout is compiled before the first request.
    path: NDArray[np.int64] = _find_path(np.ascontiguousarray(scores), change_cost)
    return path


@njit(cache=True)
def _find_path(scores: NDArray[np.float32], change_cost: float) -> NDArray[np.int64]:
    frames, chords = scores.shape
    stays = np.ones((frames, chords), np.bool_)
    best_before = np.zeros(frames, np.int64)
    totals = scores[0].astype(np.float64)
    for frame in range(1, frames):
        best = np.argmax(totals)
        best_before[frame] = best
        arriving = totals[best] - change_cost
        for chord in range(chords):
            if totals[chord] < arriving:
                stays[frame, chord] = False
                totals[chord] = arriving
            totals[chord] += scores[frame, chord]
    path = np.empty(frames, np.int64)
    path[-1] = np.argmax(totals)
    for frame in range(frames - 1, 0, -1):
        stayed = stays[frame, path[frame]]
        path[frame - 1] = path[frame] if stayed else best_before[frame]
    return path
