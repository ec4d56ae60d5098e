"""SIGTERM: what runs is finished, or its person is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiogram.methods import DeleteMessage, EditMessageText, SendMediaGroup
from aiogram.types import Update
from notabot.v1 import transcription_pb2 as pb

from tests.bot.conftest import Stage
from tests.bot.service import Events, start_and_stay, succeed


async def _polling(stage: Stage) -> asyncio.Task[None]:
    """The bot, polling, with one voice message taken."""
    person = stage.person()
    message = person.message(voice={"file_id": "v", "file_unique_id": "u", "duration": 5})
    stage.session.updates.put_nowait(Update(update_id=1, message=message))
    polling = asyncio.create_task(
        stage.dispatcher.start_polling(stage.bot, handle_signals=False, close_bot_session=True)
    )
    await stage.service.wait_for_transcriptions(1)
    return polling


async def test_what_runs_is_finished(build_stage: Callable[..., Stage]) -> None:
    stage = build_stage(drain_s=10)
    go_on = asyncio.Event()

    async def finish_late(options: pb.TranscribeOptions, audio: bytes) -> Events:
        await go_on.wait()
        async for event in succeed(options, audio):
            yield event

    stage.service.transcribe = finish_late
    polling = await _polling(stage)
    stopping = asyncio.create_task(stage.dispatcher.stop_polling())
    await asyncio.sleep(0.1)
    assert not polling.done()
    go_on.set()
    await asyncio.wait_for(stopping, 5)
    await asyncio.wait_for(polling, 5)

    assert len(stage.session.sent(SendMediaGroup)) == 2
    assert stage.session.sent(DeleteMessage)
    assert stage.session.closed


async def test_what_takes_too_long_is_told(build_stage: Callable[..., Stage]) -> None:
    stage = build_stage(drain_s=0.2)
    stage.service.transcribe = start_and_stay
    polling = await _polling(stage)
    await asyncio.wait_for(stage.dispatcher.stop_polling(), 5)
    await asyncio.wait_for(polling, 5)

    last = stage.session.sent(EditMessageText)[-1]
    assert "being restarted" in last.text
    assert last.reply_markup is None
    await asyncio.wait_for(stage.service.cancelled.wait(), 5)


async def test_nothing_running_stops_at_once(build_stage: Callable[..., Stage]) -> None:
    stage = build_stage(drain_s=60)
    await stage.person().say("/start")
    async with asyncio.timeout(10):
        await stage.dispatcher.emit_shutdown()
