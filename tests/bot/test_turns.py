"""The line of one person's recordings."""

from __future__ import annotations

import asyncio

from bot.turns import Turn, Turns


async def heads(turn: Turn) -> list[int]:
    """Numbers of those ahead until it is this one's turn."""
    return [ahead async for ahead in turn.wait()]


async def test_turns_come_in_order_of_arrival() -> None:
    turns = Turns(1, 2)
    async with turns.join(1) as first:
        assert first is not None
        assert await heads(first) == []
        async with (
            turns.join(1) as second,
            turns.join(1) as third,
            turns.join(1) as fourth,
        ):
            assert second is not None
            assert third is not None
            assert fourth is None
            assert (await second.ahead(), await third.ahead()) == (1, 2)
            async with turns.join(2) as other:
                assert other is not None
                assert await other.ahead() == 0, "another person has a line of their own"


async def test_those_who_wait_move_up() -> None:
    turns = Turns(1, 2)
    leaving = asyncio.Event()

    async def stay() -> list[int]:
        async with turns.join(1) as turn:
            assert turn is not None
            moved = await heads(turn)
            await leaving.wait()
            return moved

    staying = [asyncio.create_task(stay()) for _ in range(3)]
    await asyncio.sleep(0)
    leaving.set()
    moved = await asyncio.gather(*staying)
    assert [numbers[:1] for numbers in moved] == [[], [1], [2]]
    async with turns.join(1) as turn:
        assert turn is not None
        assert await turn.ahead() == 0


async def test_what_joined_before_a_restart_joins_again() -> None:
    turns = Turns(1, 0)
    async with turns.join(1), turns.join(1, beyond_limit=True) as turn:
        assert turn is not None
        assert await turn.ahead() == 1
