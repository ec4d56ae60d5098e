"""Telegram's flood limits."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from aiogram.exceptions import TelegramRetryAfter
from aiogram.methods import AnswerCallbackQuery, DeleteMessage, SendMessage

from bot.dispatcher import build_bot
from bot.flood import MAX_ATTEMPTS, FloodControl
from tests.bot.telegram import TOKEN, RecordingSession

CLOCK_S = 0.01
"""A sleep may end early by what the clock does not resolve."""


def _retry_after(seconds: int) -> TelegramRetryAfter:
    return TelegramRetryAfter(
        SendMessage(chat_id=1, text="x"), "Too Many Requests", retry_after=seconds
    )


def _gaps_s(session: RecordingSession) -> list[float]:
    times_s = [at_s for at_s, _ in session.requests]
    return [later - earlier for earlier, later in itertools.pairwise(times_s)]


@pytest.mark.parametrize(("chat", "interval_s"), [(1, 0.1), (-1, 0.3)])
async def test_a_chat_is_written_to_in_turns(chat: int, interval_s: float) -> None:
    """No message is sent before its time; on a busy machine, it may be later."""
    session = RecordingSession()
    bot = build_bot(TOKEN, session, FloodControl(0.1, 0.3))
    started_s = asyncio.get_running_loop().time()
    await asyncio.gather(*(bot.send_message(chat, str(n)) for n in range(4)))
    for turn, (at_s, _) in enumerate(session.requests):
        assert at_s - started_s > turn * interval_s - CLOCK_S


async def test_chats_do_not_wait_for_each_other() -> None:
    session = RecordingSession()
    bot = build_bot(TOKEN, session, FloodControl(60.0, 60.0))
    async with asyncio.timeout(20):
        await asyncio.gather(*(bot.send_message(chat, "x") for chat in range(1, 1200)))


async def test_answers_and_deletions_do_not_wait() -> None:
    session = RecordingSession()
    bot = build_bot(TOKEN, session, FloodControl(60.0, 60.0))
    async with asyncio.timeout(20):
        await bot.send_message(1, "x")
        await bot.send_chat_action(1, "typing")
        await bot.delete_message(1, 1)
        await bot.answer_callback_query("1")


async def test_retry_after_is_honoured_by_the_whole_chat() -> None:
    session = RecordingSession()
    bot = build_bot(TOKEN, session, FloodControl(0.0, 0.0))
    session.failures[SendMessage].append(_retry_after(1))
    await bot.send_message(1, "first")
    await bot.send_message(1, "second")

    texts = [method.text for method in session.sent(SendMessage)]
    assert texts == ["first", "first", "second"]
    assert _gaps_s(session)[0] >= 0.99


async def test_retry_after_without_a_chat() -> None:
    session = RecordingSession()
    bot = build_bot(TOKEN, session, FloodControl(0.0, 0.0))
    session.failures[AnswerCallbackQuery].append(_retry_after(1))
    await bot.answer_callback_query("1")

    assert _gaps_s(session)[0] >= 0.99


@pytest.mark.parametrize(
    ("failures", "requests"), [([100_000], 1), ([0] * MAX_ATTEMPTS, MAX_ATTEMPTS)]
)
async def test_patience_has_an_end(failures: list[int], requests: int) -> None:
    session = RecordingSession()
    bot = build_bot(TOKEN, session, FloodControl(0.0, 0.0))
    session.failures[DeleteMessage] += [_retry_after(seconds) for seconds in failures]
    with pytest.raises(TelegramRetryAfter):
        await bot.delete_message(1, 1)
    assert len(session.requests) == requests
