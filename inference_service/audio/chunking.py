"""Processing of long arrays in overlapping windows.

A function that is inaccurate near the edges of its input (a network, a filter) is applied to
overlapping windows, and the results are cross-faded, which avoids audible seams. If the function is
exact away from the edges, ``margin`` discards the inexact ends, and the result equals that of
processing the whole at once.

Time is the last axis throughout, in samples or in frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Window:
    """The interval ``[start, stop)`` of the whole."""

    start: int
    stop: int


def iterate_windows(length: int, size: int, overlap: int) -> Iterator[Window]:
    """Cover ``[0, length)`` with windows of ``size``; neighbours overlap by at least ``overlap``.

    The last window ends with the whole and may overlap more, so that no window is shorter than
    ``size`` unless the whole is.

    Raises
    ------
    ValueError
        Unless ``0 <= overlap < size``.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"an overlap of {overlap} does not fit windows of {size}")
    start = 0
    while start + size < length:
        yield Window(start, start + size)
        start += size - overlap
    yield Window(max(0, length - size), length)


def crossfade(
    pieces: Iterable[tuple[Window, Array]], length: int, *, margin: int = 0
) -> NDArray[np.float32]:
    """Join the results of windows.

    Parameters
    ----------
    pieces : iterable of (Window, np.ndarray of shape (..., stop - start))
        In order, as :func:`iterate_windows` yields them. Consumed one by one: only one piece and
        the result are held in memory.
    length : int
        Length of the whole, which the windows cover.
    margin : int
        Length discarded at each end of a piece, but not at the ends of the whole. Twice ``margin``
        must not exceed the overlap.

    Returns
    -------
    np.ndarray, shape (..., length), float32

    Raises
    ------
    ValueError
        If there are no pieces.
    """
    whole: NDArray[np.float32] | None = None
    done = 0
    for stretch in crossfade_stretches(pieces, length, margin=margin):
        if whole is None:
            whole = np.zeros((*stretch.shape[:-1], length), dtype=np.float32)
        whole[..., done : done + stretch.shape[-1]] = stretch
        done += stretch.shape[-1]
    if whole is None:
        raise ValueError("there are no windows to join")
    return whole


def crossfade_stretches(
    pieces: Iterable[tuple[Window, Array]], length: int, *, margin: int = 0
) -> Iterator[NDArray[np.float32]]:
    """Join the results of windows as :func:`crossfade` does, without holding the whole.

    Yields
    ------
    np.ndarray, shape (..., n), float32
        Consecutive stretches, each as soon as no later window overlaps it.
    """
    held: NDArray[np.float32] | None = None
    weights = np.zeros(0, dtype=np.float32)
    done = 0
    for window, piece in pieces:
        first = window.start + (margin if window.start > 0 else 0)
        stop = window.stop - (margin if window.stop < length else 0)
        if held is None:
            held = np.zeros((*piece.shape[:-1], 0), dtype=np.float32)
        if first > done:
            ready = first - done
            yield held[..., :ready] / weights[:ready]
            held, weights, done = held[..., ready:], weights[ready:], first
        missing = stop - done - held.shape[-1]
        if missing > 0:
            held = np.pad(held, [(0, 0)] * (held.ndim - 1) + [(0, missing)])
            weights = np.pad(weights, (0, missing))
        weight = _triangle(stop - first)
        place = slice(first - done, stop - done)
        held[..., place] += weight * piece[..., first - window.start : stop - window.start]
        weights[place] += weight
    if held is not None:
        yield held / weights


def _triangle(size: int) -> NDArray[np.float32]:
    """Return positive triangular weights, highest in the middle."""
    ramp = np.arange(1, size + 1, dtype=np.float32)
    return np.minimum(ramp, ramp[::-1])
