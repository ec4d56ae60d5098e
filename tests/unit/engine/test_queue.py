"""Admission of requests."""

from __future__ import annotations

import asyncio

import pytest

from inference_service.engine.queue import Admission
from inference_service.errors import QueueFull, ShuttingDown


async def test_a_place_is_free_again_after_an_error() -> None:
    admission = Admission(1)

    def fail() -> None:
        with admission.admit():
            assert len(admission) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(admission) == 0
    with admission.admit():
        pass


async def test_a_caller_leaves_places_to_others() -> None:
    admission = Admission(4, share=0.5)
    with admission.admit("a"), admission.admit("a"):
        with pytest.raises(QueueFull, match="2 requests of this address"), admission.admit("a"):
            pass
        with admission.admit("a", beyond_limit=True), admission.admit("b"):
            assert len(admission) == 4
        with admission.admit("b"), admission.admit("b"):
            pass
    with admission.admit("a"):
        assert len(admission) == 1


async def test_the_service_itself_has_no_share() -> None:
    admission = Admission(2, share=0.5)
    with admission.admit(), admission.admit():
        assert len(admission) == 2


async def test_the_hint_is_the_mean_of_recent_work() -> None:
    admission = Admission(1)
    for duration_s in (10.0, 20.0):
        admission.note_duration(duration_s)
    with admission.admit(), pytest.raises(QueueFull) as raised, admission.admit():
        pass
    assert raised.value.params == {"retry_after_s": 15.0}


@pytest.mark.parametrize(("duration_s", "hint_s"), [(0.01, 1.0), (10_000.0, 600.0)])
async def test_the_hint_is_bounded(duration_s: float, hint_s: float) -> None:
    admission = Admission(1)
    admission.note_duration(duration_s)
    assert admission.retry_after_s() == hint_s


async def test_old_work_is_forgotten() -> None:
    admission = Admission(1)
    admission.note_duration(500.0)
    for _ in range(16):
        admission.note_duration(2.0)
    assert admission.retry_after_s() == 2.0


async def test_closing_refuses_newcomers_and_waits_for_those_inside() -> None:
    admission = Admission(2)
    with admission.admit():
        admission.close()
        with pytest.raises(ShuttingDown), admission.admit():
            pass
        joined = asyncio.create_task(admission.join())
        await asyncio.sleep(0)
        assert not joined.done()
    await asyncio.wait_for(joined, 1.0)
