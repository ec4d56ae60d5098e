"""Jobs on a worker's thread."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any

import pytest

from inference_service.engine import worker as worker_module
from inference_service.engine.progress_meter import ProgressMeter, StageUpdate
from inference_service.engine.worker import PATIENCE, Job, Position, Worker
from inference_service.errors import Cancelled, DeadlineExceeded
from inference_service.progress import Progress, Stage

FAR_S = 1e9


def job(
    work: Callable[[Progress], Any], deadline_s: float = FAR_S, expected_s: float = 1.0
) -> Job[Any]:
    return Job(work, ProgressMeter({Stage.TAGGING: expected_s}), deadline_s)


def places(updates: Iterable[object]) -> list[int]:
    """Numbers of jobs ahead, of those updates that tell them."""
    return [update.ahead for update in updates if isinstance(update, Position)]


def hold() -> tuple[Callable[[Progress], bool], threading.Event, threading.Event]:
    """Return work that blocks, an event set when it has begun, and an event that ends it."""
    began, release = threading.Event(), threading.Event()

    def work(progress: Progress) -> bool:
        began.set()
        return release.wait(10.0)

    return work, began, release


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker("test")
    worker.start()
    yield worker
    assert await worker.close(2.0)


async def test_jobs_run_in_order_in_one_other_thread(worker: Worker) -> None:
    ran: list[tuple[int, str]] = []

    def work(number: int) -> Callable[[Progress], int]:
        def run(progress: Progress) -> int:
            ran.append((number, threading.current_thread().name))
            return number

        return run

    jobs = [worker.submit(job(work(number))) for number in range(5)]
    assert [await one.result() for one in jobs] == [0, 1, 2, 3, 4]
    assert [number for number, _ in ran] == [0, 1, 2, 3, 4]
    assert len({name for _, name in ran}) == 1
    assert ran[0][1] != threading.current_thread().name


async def test_updates_end_with_the_job(worker: Worker) -> None:
    def work(progress: Progress) -> None:
        progress(Stage.DECODE, 0.0)
        progress(Stage.DECODE, 1.0)
        progress(Stage.TAGGING, 0.0)
        progress(Stage.TAGGING, 1.0)

    updates = [update async for update in worker.submit(job(work)).updates()]
    assert isinstance(updates[0], Position)
    assert updates[0].ahead == 0
    stages = [update.stage for update in updates if isinstance(update, StageUpdate)]
    assert stages[-1] is Stage.TAGGING
    assert stages.count(Stage.TAGGING) <= 2


async def test_many_reports_make_few_updates(worker: Worker) -> None:
    def work(progress: Progress) -> None:
        for index in range(10_000):
            progress(Stage.TAGGING, index / 10_000)

    updates = [update async for update in worker.submit(job(work)).updates()]
    assert len(updates) < 100


async def test_what_the_work_raises_reaches_the_follower(worker: Worker) -> None:
    def work(progress: Progress) -> None:
        raise KeyError("x")

    failed = worker.submit(job(work))
    with pytest.raises(KeyError):
        await failed.result()
    assert await worker.submit(job(lambda progress: 7)).result() == 7


async def test_leaving_the_block_stops_the_thread_at_its_next_report(worker: Worker) -> None:
    began, left, stopped = threading.Event(), threading.Event(), threading.Event()

    def work(progress: Progress) -> None:
        began.set()
        assert left.wait(10.0)
        try:
            progress(Stage.TAGGING, 0.5)
        except Cancelled:
            stopped.set()
            raise

    async with worker.submit(job(work)) as running:
        assert await asyncio.to_thread(began.wait, 10.0)
    left.set()
    assert await asyncio.to_thread(stopped.wait, 10.0)
    with pytest.raises(Cancelled):
        await running.result()


async def test_the_deadline_stops_the_thread(worker: Worker) -> None:
    def work(progress: Progress) -> None:
        while True:
            progress(Stage.TAGGING, 0.5)
            time.sleep(0.005)  # a deadline can only be reached by waiting

    with pytest.raises(DeadlineExceeded):
        await worker.submit(job(work, time.monotonic() + 0.05)).result()


async def test_a_job_past_its_deadline_does_not_begin(worker: Worker) -> None:
    began: list[Progress] = []
    with pytest.raises(DeadlineExceeded):
        await worker.submit(job(began.append, time.monotonic() - 1)).result()
    assert began == []


async def test_a_cancelled_waiting_job_moves_the_others_up() -> None:
    worker = Worker("test")
    first, second, third = (worker.submit(job(lambda progress: None)) for _ in range(3))
    assert places([await anext(third.updates())]) == [2]
    second.cancel(Cancelled("gone"))
    assert worker.waiting == 2
    worker.start()
    assert places([update async for update in third.updates()])[-1] == 0
    await first.result()
    assert await worker.close(1.0)


async def test_only_finished_work_is_timed() -> None:
    times_s: list[float] = []
    worker = Worker("test", times_s.append)
    worker.start()
    # What is asserted below is how long a job took, so this one takes some time.
    await worker.submit(job(lambda progress: time.sleep(0.05))).result()
    begin, began, release = hold()
    async with worker.submit(job(begin)) as cancelled:
        assert await asyncio.to_thread(began.wait, 10.0)
    release.set()
    assert cancelled.stopped
    await worker.submit(job(lambda progress: None)).result()
    assert await worker.close(1.0)
    assert len(times_s) == 2
    assert 0.05 <= times_s[0] < 5.0


async def test_a_thread_that_does_not_come_back_is_reported() -> None:
    worker = Worker("test")
    worker.start()
    begin, began, release = hold()
    worker.submit(job(begin))
    assert await asyncio.to_thread(began.wait, 10.0)
    assert not await worker.close(0.05)
    release.set()


async def test_a_job_is_prepared_in_another_thread_before_its_turn(worker: Worker) -> None:
    begin, began, release = hold()
    first = worker.submit(job(begin))
    assert await asyncio.to_thread(began.wait, 10.0)
    prepared = threading.Event()

    def prepare(progress: Progress) -> Callable[[Progress], str]:
        progress(Stage.DECODE, 1.0)
        prepared.set()
        name = threading.current_thread().name
        return lambda progress: name

    second = worker.submit(prepared_job(prepare))
    assert await asyncio.to_thread(prepared.wait, 10.0)
    assert not first.done
    release.set()
    assert await second.result() != threading.current_thread().name
    updates = [update async for update in second.updates()]
    assert places(updates) == [0]
    assert len(updates) == 1, "a job that waits shows its position, not its progress"


def prepared_job(prepare: Callable[[Progress], Callable[[Progress], Any]]) -> Job[Any]:
    return Job(None, ProgressMeter({Stage.TAGGING: 1.0}), FAR_S, prepare)


async def test_a_job_that_is_slow_to_prepare_lets_others_pass() -> None:
    worker = Worker("test", preparing=2)
    worker.start()
    began, release = threading.Event(), threading.Event()

    def prepare(progress: Progress) -> Callable[[Progress], str]:
        progress(Stage.DECODE, 0.0)
        began.set()
        release.wait(10.0)
        return lambda progress: "slow"

    slow = worker.submit(prepared_job(prepare))
    assert await asyncio.to_thread(began.wait, 10.0)
    quick = worker.submit(prepared_job(lambda progress: lambda progress: "quick"))
    assert await asyncio.wait_for(quick.result(), 5.0) == "quick"
    assert not slow.done
    release.set()
    assert await slow.result() == "slow"
    assert places([update async for update in slow.updates()]) == [0]
    assert await worker.close(1.0)


async def test_preparation_that_fails_or_is_cancelled_ends_the_job(worker: Worker) -> None:
    def fail(progress: Progress) -> Callable[[Progress], Any]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await worker.submit(prepared_job(fail)).result()

    began, stopped = threading.Event(), threading.Event()

    def prepare(progress: Progress) -> Callable[[Progress], Any]:
        began.set()
        try:
            while True:
                progress(Stage.DECODE, 0.5)
                time.sleep(0.005)  # until it is cancelled
        except Cancelled:
            stopped.set()
            raise

    async with worker.submit(prepared_job(prepare)) as running:
        assert await asyncio.to_thread(began.wait, 10.0)
    assert await asyncio.to_thread(stopped.wait, 10.0)
    with pytest.raises(Cancelled):
        await running.result()
    assert await worker.submit(job(lambda progress: 7)).result() == 7


async def run_in_order(worker: Worker, jobs: Iterable[Job[str]]) -> None:
    """Submit jobs while another runs, and wait for all of them."""
    begin, began, release = hold()
    worker.submit(job(begin))
    assert await asyncio.to_thread(began.wait, 10.0)
    submitted = [worker.submit(one) for one in jobs]
    release.set()
    await asyncio.gather(*(one.result() for one in submitted))


async def test_short_jobs_pass_long_ones(worker: Worker) -> None:
    order: list[str] = []
    lengths = {"song": 60.0, "piano": 30.0, "voice": 2.0, "another voice": 2.0}
    jobs = [
        job(lambda progress, name=name: order.append(name), expected_s=length_s)  # type: ignore[misc]
        for name, length_s in lengths.items()
    ]
    await run_in_order(worker, jobs)
    assert order == ["voice", "another voice", "piano", "song"]


async def test_a_long_job_is_passed_for_a_bounded_time_only(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    order: list[str] = []
    song = job(lambda progress: order.append("song"), expected_s=60.0)
    now_s += PATIENCE * 50.0
    early = job(lambda progress: order.append("early"), expected_s=2.0)
    now_s += PATIENCE * 10.0
    late = job(lambda progress: order.append("late"), expected_s=2.0)
    await run_in_order(worker, [song, early, late])
    assert order == ["early", "song", "late"]


async def test_the_wait_is_the_work_of_those_ahead_and_ones_own() -> None:
    worker = Worker("test")
    for expected_s in (10.0, 20.0, 5.0):
        last = worker.submit(job(lambda progress: None, expected_s=expected_s))
    first = await anext(last.updates())
    assert first == Position(0, 5.0), "the shortest is next"
    longest = worker.submit(job(lambda progress: None, expected_s=40.0))
    assert await anext(longest.updates()) == Position(3, 10.0 + 20.0 + 5.0 + 40.0)
    assert await worker.close(1.0)


async def test_a_waiting_job_ends_at_its_deadline(worker: Worker) -> None:
    begin, began, release = hold()
    running = worker.submit(job(begin))
    assert await asyncio.to_thread(began.wait, 10.0)
    waiting = worker.submit(job(lambda progress: None, time.monotonic() + 0.1))
    with pytest.raises(DeadlineExceeded):
        await asyncio.wait_for(waiting.result(), 5.0)
    assert not running.done
    release.set()


async def test_the_time_goes_on_while_a_stage_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "_ANNOUNCE_INTERVAL_S", 0.02)
    release = threading.Event()

    def work(progress: Progress) -> None:
        progress(Stage.TAGGING, 0.0)
        release.wait(10.0)

    ticking = Worker("ticking")
    ticking.start()
    updates = aiter(ticking.submit(job(work, expected_s=100.0)).updates())
    shown = [await anext(updates) for _ in range(6)]
    release.set()
    times_s = [update.remaining_s for update in shown if isinstance(update, StageUpdate)]
    assert len(times_s) > 2
    assert times_s == sorted(times_s, reverse=True)
    assert times_s[-1] < times_s[0] <= 100.0
    assert await ticking.close(2.0)


class Held:
    """Something that is to be dropped."""


@pytest.mark.parametrize("step", ["prepare", "work", "cancelled"])
async def test_what_a_job_held_is_dropped_with_it(worker: Worker, step: str) -> None:
    """Without the help of the garbage collector, which runs through old objects rarely."""
    held = Held()
    trace = weakref.ref(held)

    def fail(data: Held, progress: Progress) -> Callable[[Progress], Any]:
        frame_holds = data
        raise KeyError(str(frame_holds))

    gc.disable()
    try:
        if step == "prepare":
            failing = prepared_job(partial(fail, held))
        elif step == "work":
            failing = job(partial(fail, held))
        else:
            failing = job(partial(fail, held))
            failing.cancel(Cancelled("gone"))
        del held
        with pytest.raises((KeyError, Cancelled)):
            await worker.submit(failing).result()
        await worker.submit(job(lambda progress: None)).result()
        assert trace() is None
    finally:
        gc.enable()


class Curious:
    """An event loop that reads the variables of a failure's frames at once, as a logger may."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call_soon_threadsafe(self, callback: Callable[..., object], *arguments: object) -> None:
        for argument in arguments:
            if isinstance(argument, BaseException):
                for frame, _ in traceback.walk_tb(argument.__traceback__):
                    assert frame.f_locals is not None
        self._loop.call_soon_threadsafe(callback, *arguments)


async def test_a_failure_that_is_read_while_its_thread_still_runs_holds_nothing(
    worker: Worker,
) -> None:
    held = Held()
    trace = weakref.ref(held)

    def fail(data: Held, progress: Progress) -> None:
        raise KeyError(str(data))

    gc.disable()
    try:
        failing = job(partial(fail, held))
        failing._loop = Curious(failing._loop)  # type: ignore[assignment]
        del held
        with pytest.raises(KeyError):
            await worker.submit(failing).result()
        await worker.submit(job(lambda progress: None)).result()
        assert trace() is None
    finally:
        gc.enable()


async def test_with_a_thread_free_a_job_in_preparation_waits_for_nobody_else() -> None:
    wide = Worker("wide", width=2)
    wide.start()
    work, began, release = hold()
    running = wide.submit(job(work, expected_s=1000.0))
    assert await asyncio.to_thread(began.wait, 10.0)
    prepared = threading.Event()

    def prepare(progress: Progress) -> Callable[[Progress], int]:
        assert prepared.wait(10.0)
        return lambda progress: 7

    meter = ProgressMeter({Stage.TAGGING: 1.0})
    second = wide.submit(Job(None, meter, FAR_S, prepare))
    first_update = await anext(aiter(second.updates()))
    assert isinstance(first_update, Position)
    assert first_update.ahead == 0
    assert first_update.remaining_s <= 1.0
    prepared.set()
    assert await second.result() == 7
    release.set()
    assert await running.result()
    assert await wide.close(2.0)
