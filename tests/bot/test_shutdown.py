"""SIGTERM: running requests finish, or their people get a message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiogram.methods import DeleteMessage, EditMessageText, SendPhoto
from aiogram.types import Update
from notabot.v1 import transcription_pb2 as pb

from bot.jobs import RunningUpdates
from tests.bot.conftest import Harness
from tests.bot.service import Events, start_and_stay, succeed
from tests.bot.telegram import text_of


async def _polling(harness: Harness) -> asyncio.Task[None]:
    """The bot, polling, with one voice message taken."""
    person = harness.person()
    message = person.message(voice={"file_id": "v", "file_unique_id": "u", "duration": 5})
    harness.session.updates.put_nowait(Update(update_id=1, message=message))
    polling = asyncio.create_task(
        harness.dispatcher.start_polling(harness.bot, handle_signals=False, close_bot_session=True)
    )
    await harness.service.wait_for_transcriptions(1)
    return polling


async def test_what_runs_is_finished(
    build_harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    draining = asyncio.Event()
    wait = RunningUpdates.wait

    async def observe(running: RunningUpdates, timeout_s: float) -> bool:
        draining.set()
        return await wait(running, timeout_s)

    monkeypatch.setattr(RunningUpdates, "wait", observe)
    harness = build_harness(drain_s=10)
    go_on = asyncio.Event()

    async def finish_late(options: pb.TranscribeOptions, audio: bytes) -> Events:
        await go_on.wait()
        async for event in succeed(options, audio):
            yield event

    harness.service.transcribe = finish_late
    polling = await _polling(harness)
    stopping = asyncio.create_task(harness.dispatcher.stop_polling())
    await asyncio.wait_for(draining.wait(), 5)
    assert not polling.done()
    go_on.set()
    await asyncio.wait_for(stopping, 5)
    await asyncio.wait_for(polling, 5)

    assert len(harness.session.sent(SendPhoto)) == 1
    assert harness.session.sent(DeleteMessage)
    assert harness.session.closed


async def test_what_takes_too_long_is_reported(build_harness: Callable[..., Harness]) -> None:
    harness = build_harness(drain_s=0.2)
    harness.service.transcribe = start_and_stay
    polling = await _polling(harness)
    await asyncio.wait_for(harness.dispatcher.stop_polling(), 5)
    await asyncio.wait_for(polling, 5)

    last = harness.session.sent(EditMessageText)[-1]
    assert "being restarted" in text_of(last)
    assert last.reply_markup is None
    await asyncio.wait_for(harness.service.cancelled.wait(), 5)


async def test_nothing_running_stops_at_once(build_harness: Callable[..., Harness]) -> None:
    harness = build_harness(drain_s=60)
    await harness.person().say("/start")
    async with asyncio.timeout(10):
        await harness.dispatcher.emit_shutdown()
