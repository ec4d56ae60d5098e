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


class SlowTransfer:
    """A transfer that is late."""

    def __init__(self, late_s: float) -> None:
        self.late_s = late_s
        self.has_given_way = False

    def give_way(self) -> None:
        self.has_given_way = True


async def test_the_latest_transfer_gives_way() -> None:
    admission = Admission(3, yield_s=2.0)
    late, latest = SlowTransfer(2.5), SlowTransfer(3.0)
    with admission.admit() as first, admission.admit() as second, admission.admit():
        with first.held_by(late), second.held_by(latest):
            with admission.admit():
                assert (late.has_given_way, latest.has_given_way) == (False, True)
                assert len(admission) == 3
            assert len(admission) == 2
        with admission.admit(), pytest.raises(QueueFull), admission.admit():
            pass
    assert len(admission) == 0


async def test_a_transfer_in_time_keeps_its_place() -> None:
    admission = Admission(1, yield_s=2.0)
    transfer = SlowTransfer(1.5)
    with admission.admit() as place, place.held_by(transfer):
        with pytest.raises(QueueFull) as raised, admission.admit():
            pass
        assert not transfer.has_given_way
        assert raised.value.params == {"retry_after_s": 1.0}, "when it may be late, at the least 1"


async def test_a_caller_at_its_share_takes_its_own_place() -> None:
    admission = Admission(4, share=0.5, yield_s=2.0)
    mine, other = SlowTransfer(2.5), SlowTransfer(9.0)
    with (
        admission.admit("a") as place,
        place.held_by(mine),
        admission.admit("a"),
        admission.admit("b") as third,
        third.held_by(other),
        admission.admit("a"),
    ):
        assert (mine.has_given_way, other.has_given_way) == (True, False)


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
