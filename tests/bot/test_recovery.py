"""A restarted bot goes on with what it had begun."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from notabot.v1 import transcription_pb2 as pb

from bot import recovery
from bot.client.types import Preset
from bot.ledger import JobNotes
from tests.bot.botapi import BOT_ID, FakeTelegram
from tests.bot.conftest import polling
from tests.bot.service import (
    Events,
    FakeService,
    KeptJob,
    RefusalError,
    files,
    serve,
    start_and_stay,
    succeed,
)
from tests.bot.telegram import AUDIO

CHAT = 7
OPTIONS = pb.TranscribeOptions(
    render=pb.RenderOptions(title="Recording", formats=[pb.FORMAT_PNG], page=1)
)


def _notes(**changes: Any) -> JobNotes:
    return JobNotes(CHAT, None, 55, CHAT, "en", "voice", "", len(AUDIO), Preset.AUTO, **changes)


def _keep(fake: FakeService, notes: JobNotes, audio: bytes | None = AUDIO) -> KeptJob:
    """Let the service hold a job of an earlier run."""
    job = fake.jobs[str(BOT_ID), f"{CHAT}.55"] = KeptJob(OPTIONS, notes.encode(), audio)
    return job


async def _status(telegram: FakeTelegram) -> int:
    """The status message of an earlier run."""
    await telegram._on_sendmessage({"chat_id": CHAT, "text": "60 %"})
    return telegram.shown(CHAT)[-1].message_id


async def _closed(job: KeptJob) -> None:
    await asyncio.wait_for(job.closed.wait(), 20)


async def test_a_job_goes_on_over_a_restart(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service
    fake.transcribe = start_and_stay
    async with polling(telegram, address, drain_s=0.1):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(
            lambda: any("Separating" in message.text for message in telegram.shown(CHAT))
        )
    [status] = telegram.shown(CHAT)
    assert "Your recording is safe" in status.text
    assert not status.buttons

    fake.transcribe = succeed
    async with polling(telegram, address):
        [job] = fake.jobs.values()
        await _closed(job)
    assert len(telegram.scores(CHAT)) == len(telegram.controls(CHAT)) == 1
    assert telegram.calls.count("getFile") == 1
    assert len(telegram.shown(CHAT)) == 1, "the status message is gone"


async def test_a_cut_upload_is_sent_again(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service
    telegram.files["voice"] = AUDIO
    job = _keep(fake, _notes(status_id=await _status(telegram)), audio=None)
    async with polling(telegram, address):
        await _closed(job)
    assert [audio for _, audio in fake.transcriptions] == [AUDIO]
    assert len(telegram.scores(CHAT)) == len(telegram.controls(CHAT)) == 1


class Cutting(FakeService):
    """A service that accepts jobs, and finds every upload too slow."""

    async def Transcribe(self, request_iterator: Any, context: Any) -> Events:  # noqa: N802
        async for request in request_iterator:
            self.transcriptions.append((request.options, b""))
            yield pb.TranscribeEvent(accepted=pb.Accepted(kept=True))
            await self.end(RefusalError(5, "JOB_UNKNOWN"), context)


async def test_an_upload_that_always_breaks_off_is_not_sent_for_ever(
    telegram: FakeTelegram,
) -> None:
    fake = Cutting()
    async with serve(fake) as address, polling(telegram, address, deadline_s=1.0):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(
            lambda: any("no longer knows this recording" in m.text for m in telegram.shown(CHAT)),
            15,
        )
    assert len(fake.transcriptions) > 1


async def test_a_cancel_button_of_an_earlier_run_works(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service
    fake.transcribe = start_and_stay
    job = _keep(fake, _notes(status_id=await _status(telegram)))
    async with polling(telegram, address):
        await telegram.wait_for(lambda: "Cancel" in telegram.shown(CHAT)[0].buttons)
        await telegram.press(telegram.shown(CHAT)[0], "Cancel")
        await _closed(job)
        await telegram.wait_for(lambda: telegram.shown(CHAT)[0].text == "Cancelled.")


@pytest.mark.parametrize("has_status", [True, False])
@pytest.mark.parametrize("begun", [["page"], ["page", "buttons"]])
async def test_a_page_that_may_have_come_does_not_come_twice(
    telegram: FakeTelegram, service: tuple[FakeService, str], has_status: bool, begun: list[str]
) -> None:
    fake, address = service
    status_id = await _status(telegram)
    if not has_status:  # it was deleted after the page had come
        del telegram.messages[status_id]
    job = _keep(fake, _notes(status_id=status_id, begun=begun))
    async with polling(telegram, address):
        await _closed(job)
    assert not {"sendPhoto", "sendMessage"} & set(telegram.calls)
    assert [list(message.buttons) for message in telegram.shown(CHAT)] == [
        ["Full score"]
    ] * has_status
    assert all("to get it again" in message.text for message in telegram.shown(CHAT))


@pytest.mark.parametrize(
    "notes",
    [
        {"begun": ["page"], "ended": ["page"]},
        {"begun": ["page", "buttons"], "ended": ["buttons"]},
        # From before the page and its buttons were one message.
        {"begun": ["pages", "files", "buttons"], "ended": ["pages", "files", "buttons"]},
    ],
)
async def test_what_has_been_delivered_is_not_sent_again(
    telegram: FakeTelegram, service: tuple[FakeService, str], notes: dict[str, list[str]]
) -> None:
    fake, address = service
    job = _keep(fake, _notes(status_id=await _status(telegram), **notes))
    async with polling(telegram, address):
        await _closed(job)
    assert not {"sendPhoto", "sendMessage"} & set(telegram.calls)
    assert not telegram.shown(CHAT), "the status message is gone"


async def test_a_page_that_was_refused_is_tried_again(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service
    job = _keep(fake, _notes(status_id=await _status(telegram)))
    async with polling(telegram, address):
        await _closed(job)
    assert len(telegram.scores(CHAT)) == len(telegram.controls(CHAT)) == 1


async def test_a_result_that_the_bot_was_slow_to_read_is_asked_for_again(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service

    async def give_up(options: pb.TranscribeOptions, audio: bytes) -> Events:
        fake.transcribe = succeed
        for event in files(options.render):
            yield event
        raise RefusalError(4, "DEADLINE_EXCEEDED")

    fake.transcribe = give_up
    async with polling(telegram, address):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(lambda: telegram.controls(CHAT))
        [job] = fake.jobs.values()
        await _closed(job)
    assert len(fake.transcriptions) == 1, "it was not heard twice"
    assert len(telegram.scores(CHAT)) == 1


async def test_an_update_that_comes_twice_is_worked_once(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service
    async with polling(telegram, address):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(lambda: telegram.controls(CHAT))
        [job] = fake.jobs.values()
        await _closed(job)
    update = telegram.history[-1]
    await telegram.push({"message": update["message"]})
    async with polling(telegram, address):  # another run, which has no memory of the first
        await telegram.send(CHAT, text="/start")
        await telegram.wait_for(lambda: any("Hello" in m.text for m in telegram.shown(CHAT)))
    assert len(fake.transcriptions) == 1
    assert len(telegram.scores(CHAT)) == 1


async def test_telegram_forgets_an_update_only_when_its_job_is_accepted(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service
    arrived, accepted = asyncio.Event(), asyncio.Event()

    async def wait(context: object) -> None:
        arrived.set()
        await accepted.wait()

    fake.admit = wait
    async with polling(telegram, address):
        await telegram.send_voice(CHAT, AUDIO)
        await asyncio.wait_for(arrived.wait(), 20)
        await asyncio.sleep(0.5)
        await telegram.send(8, text="/start")
        await telegram.wait_for(lambda: telegram.shown(8))
        assert telegram.pending(), "it is not confirmed, and nobody waits for it"
        accepted.set()
        await telegram.wait_for(lambda: not telegram.pending())


async def test_a_result_that_telegram_does_not_take_comes_later(
    telegram: FakeTelegram, service: tuple[FakeService, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "INTERVAL_S", 0.5)
    fake, address = service

    async def then_fail(options: pb.TranscribeOptions, audio: bytes) -> Events:
        async for event in succeed(options, audio):
            telegram.down = True
            yield event

    fake.transcribe = then_fail
    async with polling(telegram, address, patience_s=0.2):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(lambda: telegram.down)
        await asyncio.sleep(3.0)
        fake.transcribe = succeed
        telegram.down = False
        [job] = fake.jobs.values()
        await _closed(job)
    [last] = [message for message in telegram.shown(CHAT) if "Full score" in str(message.buttons)]
    assert telegram.scores(CHAT) or "to get it again" in last.text
