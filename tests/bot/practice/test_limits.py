"""Limits of the practice page."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.practice.limits import BusyError, Places, PlacesByKey, Rate, TokenBuckets, caller_of


class Clock:
    """A clock that a test turns."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(Rate(3, 0.5), now_s=clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2.0]
    assert buckets.take("b") == 0, "everyone has a bucket of their own"
    clock.now_s = 1.0
    assert buckets.take("a") == 1.0, "asking in vain costs nothing"
    clock.now_s = 2.0
    assert buckets.take("a") == 0
    assert buckets.take("a") == 2.0
    clock.now_s = 1000.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2.0], "a full bucket stays full"


def test_the_buckets_of_many_take_little_room() -> None:
    buckets = TokenBuckets(Rate(1, 1e-9), max_holders=100, now_s=Clock())
    assert buckets.take("first") == 0
    for holder in range(99):
        buckets.take(holder)
    assert buckets.take("first") > 0
    for holder in range(1000):
        buckets.take(holder)
    assert len(buckets) == 100


async def test_places_let_some_work_and_some_wait() -> None:
    places = Places(2, 1)
    go, at_work = asyncio.Event(), 0

    async def work() -> None:
        nonlocal at_work
        async with places.place():
            at_work += 1
            await go.wait()

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    await asyncio.sleep(0)
    assert at_work == 2
    with pytest.raises(BusyError):
        async with places.place():
            pass
    tasks[2].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    go.set()
    async with places.place():
        pass
    await asyncio.gather(*tasks, return_exceptions=True)
    assert at_work == 2


async def test_places_by_key_are_kept_while_they_are_needed() -> None:
    places = PlacesByKey(1, 0)
    async with places.place("a"), places.place("b"):
        with pytest.raises(BusyError):
            async with places.place("a"):
                pass
        assert len(places._places) == 2
    assert not places._places
    assert not places._users


@pytest.mark.parametrize(
    ("proxies", "forwarded", "caller"),
    [
        (0, None, "192.0.2.1"),
        (0, "198.51.100.7", "192.0.2.1"),
        (1, "198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.5, 198.51.100.7", "198.51.100.7"),
        (2, "203.0.113.5, 198.51.100.7", "203.0.113.5"),
        (2, "198.51.100.7", "192.0.2.1"),
        (1, "nonsense", "192.0.2.1"),
        (1, "[2001:db8:1:2:3:4:5:6]", "2001:db8:1:2::/64"),
        (1, "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (1, "::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_the_caller_is_who_the_proxies_say(
    proxies: int, forwarded: str | None, caller: str
) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote="192.0.2.1")
    assert caller_of(request, proxies) == caller
