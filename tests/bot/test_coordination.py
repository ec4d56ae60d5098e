"""What bots agree upon: one with itself, and several with each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.coordination import Alone, Coordination, CoordinationAwayError
from bot.shared.coordination import ALIVE_S, SharedCoordination
from bot.shared.state import SharedState
from tests.valkey_server import ValkeyServer


@asynccontextmanager
async def taking_part(url: str) -> AsyncIterator[SharedCoordination]:
    """A bot that takes part."""
    state = SharedState(url)
    coordination = SharedCoordination(state)
    async with coordination.taking_part():
        yield coordination
    await state.close()


@pytest.fixture(params=["alone", "shared"])
async def pair(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[Coordination, Coordination]]:
    """Two bots that agree, or one twice."""
    if request.param == "alone":
        alone = Alone()
        yield alone, alone
        return
    url = request.getfixturevalue("valkey").url
    async with taking_part(url) as one, taking_part(url) as other:
        yield one, other


@pytest.fixture
async def staying(valkey: ValkeyServer) -> AsyncIterator[SharedCoordination]:
    """A bot that takes part during the test."""
    async with taking_part(valkey.url) as coordination:
        yield coordination


Pair = tuple[Coordination, Coordination]


async def test_a_line_has_an_order_and_a_limit(pair: Pair) -> None:
    one, other = pair
    first, second = await one.join("line", 2), await other.join("line", 2)
    assert first is not None
    assert second is not None
    assert await one.join("line", 2) is None
    assert (await one.ahead(first), await other.ahead(second)) == (0, 1)
    beyond = await one.join("line")
    assert beyond is not None
    assert await one.ahead(beyond) == 2
    await one.leave(first)
    await asyncio.wait_for(other.moved(second), 5)
    assert await other.ahead(second) == 0
    assert await other.join("another line", 1) is not None


async def test_a_note_is_for_all(pair: Pair) -> None:
    one, other = pair
    await one.note("name", "value", 100.0)
    assert await other.find("name", "no name") == ["value", None]
    await other.erase("name")
    assert await one.find("name") == [None]


async def test_turns_of_a_chat_are_taken_together(pair: Pair) -> None:
    one, other = pair
    waits_s = [await bot.reserve("chat", 100.0) for bot in (one, other, one)]
    assert waits_s == [pytest.approx(wait_s, abs=5.0) for wait_s in (0.0, 100.0, 200.0)]
    assert await other.reserve("another chat", 1.0) == 0.0
    await one.postpone("another chat", 50.0)
    assert await other.reserve("another chat", 1.0) == pytest.approx(50.0, abs=5.0)


async def test_notes_expire(staying: SharedCoordination) -> None:
    await staying.note("name", "value", 0.05)
    await asyncio.sleep(0.2)
    assert await staying.find("name") == [None]


async def test_what_a_bot_held_that_has_gone_is_free(
    valkey: ValkeyServer, staying: SharedCoordination
) -> None:
    async with taking_part(valkey.url) as leaving:
        assert await leaving.join("line", 1) is not None
        assert await staying.join("line", 1) is None
    assert await staying.join("line", 1) is not None


async def test_a_bot_that_was_killed_is_missed_after_a_while(
    valkey: ValkeyServer, staying: SharedCoordination
) -> None:
    state = SharedState(valkey.url)
    killed = SharedCoordination(state)
    await killed._say_so()
    assert await killed.join("line", 1) is not None
    assert await staying.join("line", 1) is None
    async with asyncio.timeout(ALIVE_S + 5):
        while await staying.join("line", 1) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await state.close()


async def test_without_the_server_a_bot_agrees_with_itself(
    valkey: ValkeyServer, staying: SharedCoordination
) -> None:
    bot = staying
    before = await bot.join("line", 1)
    assert before is not None
    valkey.stop()
    with pytest.raises(CoordinationAwayError):
        await bot.check()
    ticket = await bot.join("line", 1)
    assert ticket is not None
    assert await bot.join("line", 1) is None
    assert await bot.ahead(ticket) == 0
    assert await bot.ahead(before) == 0
    assert await bot.reserve("chat", 10.0) == 0.0
    assert await bot.reserve("chat", 10.0) > 5.0
    await bot.note("name", "value", 1.0)
    assert await bot.find("name") == ["value"]
    await bot.leave(before)
    await bot.leave(ticket)
    valkey.start()
    async with asyncio.timeout(10):
        while True:
            try:
                await bot.check()
                break
            except CoordinationAwayError:
                await asyncio.sleep(0.05)
    again = await bot.join("line", 2)
    assert again is not None
    assert again.member, "on the server"
