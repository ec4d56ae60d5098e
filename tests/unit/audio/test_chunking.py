"""Windows: they cover the whole, and their joined results equal that for the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference_service.audio.chunking import (
    Window,
    crossfade,
    crossfade_stretches,
    iterate_windows,
)

Signal = NDArray[np.float32]


def _apply(
    function: Callable[[Signal], Signal], signal: Signal, size: int, overlap: int, margin: int = 0
) -> Signal:
    length = signal.shape[-1]
    windows = iterate_windows(length, size, overlap)
    pieces = ((window, function(signal[..., window.start : window.stop])) for window in windows)
    return crossfade(pieces, length, margin=margin)


@given(length=st.integers(0, 300), size=st.integers(1, 80), data=st.data())
def test_windows_cover_the_whole(length: int, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    windows = list(iterate_windows(length, size, overlap))
    assert windows[0].start == 0
    assert windows[-1].stop == length
    for window, following in pairwise(windows):
        assert window.stop - following.start >= overlap
        assert following.start > window.start
    assert all(window.stop - window.start == min(size, length) for window in windows)


@given(length=st.integers(1, 300), size=st.integers(1, 80), data=st.data())
def test_identity_is_kept(length: int, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    signal = np.random.default_rng(length).standard_normal((2, length)).astype(np.float32)
    np.testing.assert_allclose(
        _apply(lambda piece: piece, signal, size, overlap), signal, atol=1e-6
    )


@pytest.mark.parametrize("length", [40, 100, 1000, 1017])
def test_local_filter_is_exact_with_a_margin(length: int) -> None:
    kernel = np.hanning(21).astype(np.float32)

    def smooth(piece: Signal) -> Signal:
        return np.convolve(piece, kernel, "same")[: len(piece)]

    signal = np.random.default_rng(0).standard_normal(length).astype(np.float32)
    chunked = _apply(smooth, signal, size=100, overlap=30, margin=10)
    np.testing.assert_allclose(chunked, smooth(signal), atol=1e-4)


def test_seams_fade() -> None:
    """Windows with different results are joined by a slope, not by a step."""
    levels = iter([0.0, 1.0, 0.0])
    whole = _apply(
        lambda piece: np.full_like(piece, next(levels)), np.zeros(260, np.float32), 100, 20
    )
    assert np.abs(np.diff(whole)).max() < 0.1
    assert whole.max() == 1.0


@pytest.mark.parametrize(("size", "overlap"), [(10, 10), (10, -1), (0, 0)])
def test_refuses_overlaps_that_do_not_fit(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        list(iterate_windows(100, size, overlap))


def test_stretches_are_given_out_when_no_window_reaches_them_any_more() -> None:
    signal = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    taken: list[int] = []

    def pieces() -> Iterator[tuple[Window, Signal]]:
        for window in iterate_windows(1000, 100, 30):
            taken.append(window.stop)
            yield window, signal[:, window.start : window.stop]

    done = 0
    for stretch in crossfade_stretches(pieces(), 1000):
        np.testing.assert_allclose(stretch, signal[:, done : done + stretch.shape[1]], atol=1e-6)
        assert taken[-1] <= done + stretch.shape[1] + 100
        done += stretch.shape[1]
    assert done == 1000
    assert len(taken) == 14


def test_refuses_nothing_at_all() -> None:
    with pytest.raises(ValueError, match="no window"):
        crossfade([], 10)
