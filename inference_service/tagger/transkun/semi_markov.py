"""Decoding of intervals by a semi-Markov conditional random field.

A path through the frames of a key is a sequence of intervals that do not overlap; what lies between
them scores 0. :func:`decode` finds the path with the highest sum of scores (Yan, Cwitkowitz and
Duan, "Skipping the Frame-Level: Event-Based Piano Transcription with Neural Semi-CRFs", NeurIPS
2021).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Intervals = list[tuple[int, int]]

_GAP: Final = -1


def decode(scores: NDArray[np.float32], single: NDArray[np.float32], start: int) -> Intervals:
    """Return the best path of a key.

    Parameters
    ----------
    scores : np.ndarray, shape (T, T), float32
        At ``[e, b]``, the score per frame of length of the interval from frame ``b`` to a later
        frame ``e``. Other cells are not read.
    single : np.ndarray, shape (T,), float32
        Scores of intervals of one frame.
    start : int
        The frame at which the path begins.

    Returns
    -------
    list of tuple of int
        The first and the last frame of each interval. An interval may begin in the frame in which
        the one before ends.
    """
    choices: NDArray[np.int32] = _choose(scores, single)
    intervals: Intervals = []
    frame, last = start, len(choices) - 1
    while frame <= last:
        if single[frame] > 0:
            intervals.append((frame, frame))
        end = int(choices[frame])
        if end != _GAP:
            intervals.append((frame, end))
        frame = frame + 1 if end == _GAP else end
    return intervals


@njit(cache=True)
def _choose(scores: NDArray[np.float32], single: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return, for each frame, the end of the interval with which the best path goes on, or a gap.

    Rows of ``scores`` belong to ends: by the time that an end is reached, the best path from it is
    known, and every interval that ends there is tried.
    """
    frames = len(single)
    choices = np.full(frames, _GAP, np.int32)
    best = np.zeros(frames, np.float32)
    with_interval = np.full(frames, -np.inf, np.float32)
    for end in range(frames - 1, -1, -1):
        if end < frames - 1:
            best[end] = best[end + 1]
        if with_interval[end] > best[end]:
            best[end] = with_interval[end]
        else:
            choices[end] = _GAP
        best[end] += max(single[end], np.float32(0))
        for begin in range(end):
            total = best[end] + scores[end, begin] * np.float32(end - begin)
            if total >= with_interval[begin]:
                with_interval[begin] = total
                choices[begin] = end
    return choices
