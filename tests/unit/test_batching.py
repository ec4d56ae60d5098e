"""Windows of several threads in common batches."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inference_service.batching import PATIENCE, Batches
from inference_service.errors import Cancelled

WAIT_S = 20.0
"""Longest time that a test waits for another thread."""

Window = np.ndarray[Any, np.dtype[np.float32]]


class Network:
    """Returns two functions of each window, and records the batches that it runs.

    A window that holds NaN is an error. With ``capacity``, larger batches do not fit into memory.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self.sizes: list[int] = []
        self.widths: list[int] = []
        self.outputs: weakref.WeakSet[Tensor] = weakref.WeakSet()
        self._alone = threading.Lock()

    def __call__(self, windows: Tensor) -> list[Tensor]:
        assert self._alone.acquire(blocking=False), "two batches run at once"
        try:
            self.sizes.append(len(windows))
            self.widths.append(windows.shape[1])
            if self.capacity is not None and len(windows) > self.capacity:
                raise torch.OutOfMemoryError("too large")
            if windows.isnan().any():
                raise ValueError("not a number")
            outputs = [windows.sum(1), windows * 2]
            self.outputs.update(outputs)
            return outputs
        finally:
            self._alone.release()


class HeldNetwork(Network):
    """A network whose first batch does not end before it is released."""

    def __init__(self, capacity: int | None = None) -> None:
        super().__init__(capacity)
        self.began, self.release = threading.Event(), threading.Event()

    def __call__(self, windows: Tensor) -> list[Tensor]:
        self.began.set()
        assert self.release.wait(WAIT_S)
        return super().__call__(windows)


class WatchedBatches(Batches):
    """Records how often the calls of each batch were passed over."""

    passed = 0

    def _choose(self) -> list[Any]:
        batch = super()._choose()
        self.passed = max([self.passed, *(call.passed for call in batch)])
        return batch


def make(*values: float, width: int = 3) -> list[Window]:
    return [np.full(width, value, np.float32) for value in values]


def run(batches: Batches, windows: Sequence[Window]) -> list[tuple[float, list[float]]]:
    pieces = ((number, [window]) for number, window in enumerate(windows))
    found = list(batches.run(pieces, len(windows)))
    assert [number for number, _ in found] == list(range(len(windows)))
    return [(float(total), twice.tolist()) for _, (total, twice) in found]


def expect(windows: Sequence[Window]) -> list[tuple[float, list[float]]]:
    return [(float(window.sum()), (window * 2).tolist()) for window in windows]


def wait_until(condition: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < limit_s
        time.sleep(0.001)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def queue_up(
    threads: ThreadPoolExecutor, batches: Batches, network: HeldNetwork, *calls: list[Window]
) -> list[Any]:
    """Submit calls that wait, in this order, for one that runs; return the futures of all."""
    futures = [threads.submit(run, batches, make(0.0))]
    assert network.began.wait(WAIT_S)
    for number, windows in enumerate(calls, start=1):
        futures.append(threads.submit(run, batches, windows))
        wait_until(lambda number=number: len(batches._waiting) == number)  # type: ignore[misc]
    network.release.set()
    return futures


def test_one_by_one_nothing_is_copied() -> None:
    given: list[Tensor] = []

    def network(windows: Tensor) -> list[Tensor]:
        given.append(windows)
        return [windows]

    window = np.arange(3, dtype=np.float32)
    [(name, [output])] = Batches(network).run([("a", [window])], 1)
    assert name == "a"
    assert given[0].shape == (1, 3)
    assert given[0].data_ptr() == window.ctypes.data
    assert np.shares_memory(output, window)


def test_one_by_one_threads_do_not_wait_for_each_other(threads: ThreadPoolExecutor) -> None:
    both = threading.Barrier(2, timeout=WAIT_S)

    def network(windows: Tensor) -> list[Tensor]:
        both.wait()
        return [windows]

    batches = Batches(network)
    futures = [threads.submit(lambda: list(batches.run([(0, make(1.0))], 1))) for _ in range(2)]
    assert all(len(future.result(WAIT_S)) == 1 for future in futures)


def test_one_recording_fills_half_a_batch_in_its_own_thread() -> None:
    network, ran = Network(), set()

    def apply(windows: Tensor) -> list[Tensor]:
        ran.add(threading.get_ident())
        return network(windows)

    windows = make(1.0, 2.0, 3.0, 4.0, 5.0)
    assert run(Batches(apply, size=4), windows) == expect(windows)
    assert network.sizes == [2, 2, 1]
    assert ran == {threading.get_ident()}


def test_windows_are_read_as_they_are_needed() -> None:
    read: list[int] = []

    def pieces() -> Iterator[tuple[int, list[Window]]]:
        for number in range(6):
            read.append(number)
            yield number, make(float(number))

    found = Batches(Network(), size=4).run(pieces(), 6)
    next(found)
    assert read == [0, 1]


def test_who_waits_shares_a_batch(threads: ThreadPoolExecutor) -> None:
    network = HeldNetwork()
    batches = Batches(network, size=4)
    calls = [make(1.0), make(2.0, 3.0), make(4.0), make(5.0)]
    futures = queue_up(threads, batches, network, *calls)
    for future, windows in zip(futures[1:], calls, strict=True):
        assert future.result(WAIT_S) == expect(windows)
    # Those with one window come first, and the two of the other no longer fit.
    assert network.sizes == [1, 3, 2]


def test_only_what_is_alike_shares_a_batch(threads: ThreadPoolExecutor) -> None:
    network = HeldNetwork()
    batches = Batches(network, size=8)
    calls = [make(1.0), make(2.0, width=5), make(3.0), make(4.0, width=5)]
    futures = queue_up(threads, batches, network, *calls)
    for future, windows in zip(futures[1:], calls, strict=True):
        assert future.result(WAIT_S) == expect(windows)
    assert list(zip(network.sizes, network.widths, strict=True)) == [(1, 3), (2, 3), (2, 5)]


def test_short_comes_before_long(threads: ThreadPoolExecutor) -> None:
    network = HeldNetwork()
    batches = Batches(network, size=2)
    calls = [make(1.0, 1.0, 1.0), make(2.0, 2.0, width=4), make(3.0, width=5)]
    for future in queue_up(threads, batches, network, *calls):
        future.result(WAIT_S)
    assert network.widths[:3] == [3, 5, 4]


def test_an_error_is_raised_for_whose_windows_cause_it(threads: ThreadPoolExecutor) -> None:
    network = HeldNetwork()
    batches = Batches(network, size=8)
    good, bad = [make(1.0, 2.0), make(3.0)], make(float("nan"))
    _, first, broken, second = queue_up(threads, batches, network, good[0], bad, good[1])
    assert first.result(WAIT_S) == expect(good[0])
    assert second.result(WAIT_S) == expect(good[1])
    with pytest.raises(ValueError, match="not a number"):
        broken.result(WAIT_S)
    assert run(batches, good[1]) == expect(good[1])


def test_what_does_not_fit_into_memory_is_run_window_by_window(
    threads: ThreadPoolExecutor,
) -> None:
    network = HeldNetwork(capacity=2)
    batches = Batches(network, size=8)
    calls = [make(1.0, 2.0, 3.0), make(4.0)]
    futures = queue_up(threads, batches, network, *calls)
    for future, windows in zip(futures[1:], calls, strict=True):
        assert future.result(WAIT_S) == expect(windows)
    assert network.sizes == [1, 4, 1, 1, 1, 1]
    assert batches.size == 4


def test_batches_become_as_small_as_memory_needs() -> None:
    network = Network(capacity=1)
    batches = Batches(network, size=8)
    windows = make(*map(float, range(12)))
    assert run(batches, windows) == expect(windows)
    assert batches.size < 4
    assert network.sizes[-4:] == [1, 1, 1, 1]


def test_a_window_that_fits_into_no_memory_is_an_error() -> None:
    batches = Batches(Network(capacity=0), size=4)
    with pytest.raises(torch.OutOfMemoryError):
        run(batches, make(1.0))
    with pytest.raises(torch.OutOfMemoryError):
        run(batches, make(1.0, 2.0))


def test_who_is_cancelled_holds_up_nobody(threads: ThreadPoolExecutor) -> None:
    network = HeldNetwork()
    batches = Batches(network, size=4)

    def cancelled() -> Iterator[tuple[int, list[Window]]]:
        yield 0, make(1.0, width=3)
        yield 1, make(1.0, width=3)
        raise Cancelled("nobody waits")

    leaving = threads.submit(lambda: list(batches.run(cancelled(), 9)))
    assert network.began.wait(WAIT_S)
    staying = threads.submit(run, batches, make(2.0, 3.0, 4.0))
    network.release.set()
    with pytest.raises(Cancelled):
        leaving.result(WAIT_S)
    assert staying.result(WAIT_S) == expect(make(2.0, 3.0, 4.0))
    assert not batches._is_busy
    assert not batches._waiting


def test_nothing_is_kept(threads: ThreadPoolExecutor) -> None:
    network = Network()
    batches = Batches(network, size=4)
    gc.collect()
    gc.disable()
    try:
        futures = [
            threads.submit(run, batches, make(*[float(value)] * (1 + value % 5)))
            for value in range(60)
        ]
        for future in futures:
            future.result(WAIT_S)
        bad = threads.submit(run, batches, make(float("nan")))
        assert isinstance(bad.exception(WAIT_S), ValueError)
        futures.clear()
        wait_until(lambda: not network.outputs)
    finally:
        gc.enable()
    assert not batches._waiting


windows_of_threads = st.lists(
    st.lists(st.tuples(st.floats(-100, 100, width=32), st.integers(1, 3)), min_size=1, max_size=9),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60)
@given(windows_of_threads, st.integers(2, 6), st.sampled_from([None, 1, 3]))
def test_any_threads_get_what_they_would_get_alone(
    drawn: list[list[tuple[float, int]]], size: int, capacity: int | None
) -> None:
    network = Network(capacity)
    batches = WatchedBatches(network, size=size)
    recordings = [
        [window for value, width in each for window in make(value, width=width)] for each in drawn
    ]
    start = threading.Barrier(len(recordings))

    def hear(windows: list[Window]) -> list[tuple[float, list[float]]]:
        start.wait(WAIT_S)
        return run(batches, windows)

    with ThreadPoolExecutor(len(recordings)) as threads:
        futures = [threads.submit(hear, windows) for windows in recordings]
        for future, windows in zip(futures, recordings, strict=True):
            assert future.result(WAIT_S) == expect(windows)
    assert max(network.sizes) <= size
    assert batches.passed <= PATIENCE + max(len(recordings) - 2, 0)


def test_the_long_are_passed_a_bounded_number_of_times() -> None:
    count = 6
    batches = WatchedBatches(Network(), size=2)
    stop = threading.Event()
    shorts: list[int] = []

    def hear_short_ones() -> None:
        while not stop.is_set():
            run(batches, make(1.0, width=2))
            shorts.append(1)

    with ThreadPoolExecutor(count) as threads:
        others = [threads.submit(hear_short_ones) for _ in range(count - 1)]
        wait_until(lambda: len(shorts) > 20)
        long = make(*[2.0] * 40, width=3)
        assert threads.submit(run, batches, long).result(WAIT_S) == expect(long)
        stop.set()
        for other in others:
            other.result(WAIT_S)
    assert batches.passed <= PATIENCE + count - 2
