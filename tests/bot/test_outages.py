"""Telegram fails in every way that it can, and the score still reaches its reader."""

from __future__ import annotations

import asyncio

import pytest

from bot import retries, session
from tests.bot.botapi import FakeTelegram, Fault
from tests.bot.conftest import polling
from tests.bot.service import FakeService, serve
from tests.bot.telegram import AUDIO

CHAT = 7
METHODS = ["sendMessage", "editMessageText", "sendPhoto", "deleteMessage", "getFile", "file"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses; the order of things is what is tested."""
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(retries, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(session, "SILENCE_S", 0.3)


def _is_done(telegram: FakeTelegram) -> bool:
    """Whether the chat shows the buttons, and no status message any more."""
    shown = telegram.shown(CHAT)
    return bool(telegram.controls(CHAT)) and not any("Cancel" in m.buttons for m in shown)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("method", METHODS)
async def test_one_failure_of_any_kind_costs_nothing(
    telegram: FakeTelegram, service: tuple[FakeService, str], method: str, fault: Fault
) -> None:
    fake, address = service
    telegram.faults[method] = [fault]
    async with polling(telegram, address):
        await telegram.send_voice(CHAT, AUDIO)
        stale = 1 if (method, fault) == ("sendMessage", Fault.CUT) else 0
        await telegram.wait_for(
            lambda: (
                sum("Cancel" in m.buttons for m in telegram.shown(CHAT)) == stale
                and telegram.controls(CHAT)
            )
        )

    assert [audio for _, audio in fake.transcriptions] == [AUDIO]
    assert len(telegram.scores(CHAT)) == 1
    assert len(telegram.controls(CHAT)) == 1
    assert len(telegram.shown(CHAT)) == 1 + stale, "a page with its buttons, and nothing else"


async def test_an_outage_while_the_score_is_made_delays_it(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    _, address = service
    begun = asyncio.Event()

    async def notice(method: str, phase: str) -> None:
        if method == "sendPhoto":
            telegram.down = not begun.is_set()
            begun.set()

    telegram.on_call = notice
    telegram.faults["sendPhoto"] = [Fault.RESET]
    async with polling(telegram, address):
        await telegram.send_voice(CHAT, AUDIO)
        await asyncio.wait_for(begun.wait(), 10)
        await asyncio.sleep(1.0)
        telegram.down = False
        await telegram.wait_for(lambda: _is_done(telegram))

    assert len(telegram.scores(CHAT)) == 1


async def test_what_telegram_never_takes_is_one_press_away(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    _, address = service
    telegram.faults["sendPhoto"] = [Fault.ERROR] * 100
    async with polling(telegram, address, patience_s=0.3):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(lambda: _is_done(telegram))
        [controls] = telegram.controls(CHAT)
        assert "Press “Full score” to get it again" in controls.text
        telegram.faults["sendPhoto"] = []
        await telegram.press(controls, "Full score")
        await telegram.wait_for(lambda: telegram.scores(CHAT))


async def test_a_score_that_cannot_be_sent_leaves_no_dead_status_message(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    _, address = service
    telegram.faults["sendPhoto"] = [Fault.ERROR] * 100

    async def refuse(method: str, phase: str) -> None:
        if method == "sendMessage":  # the status message
            telegram.faults["sendMessage"] = [Fault.ERROR] * 100

    telegram.on_call = refuse
    async with polling(telegram, address, patience_s=0.3):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(
            lambda: any("Telegram does not take it" in m.text for m in telegram.shown(CHAT))
        )

    assert not any(m.buttons for m in telegram.shown(CHAT))


async def test_a_lost_status_message_goes_when_it_is_pressed(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    _, address = service
    telegram.faults["sendMessage"] = [Fault.CUT]
    async with polling(telegram, address):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(lambda: telegram.controls(CHAT))
        [stale] = [m for m in telegram.shown(CHAT) if "Cancel" in m.buttons]
        await telegram.press(stale, "Cancel")
        await telegram.wait_for(lambda: stale not in telegram.shown(CHAT))


async def test_a_download_that_breaks_often_is_not_held_against_the_recording(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service
    telegram.faults["file"] = [Fault.CUT, Fault.RESET, Fault.BAD_GATEWAY, Fault.CUT]
    audio = AUDIO * 5
    async with polling(telegram, address):
        await telegram.send_voice(CHAT, audio)
        await telegram.wait_for(lambda: _is_done(telegram))

    assert [heard for _, heard in fake.transcriptions] == [audio]


async def test_a_press_is_worked_though_it_cannot_be_answered(
    telegram: FakeTelegram, service: tuple[FakeService, str]
) -> None:
    fake, address = service
    async with polling(telegram, address, patience_s=0.2):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(lambda: _is_done(telegram))
        telegram.faults["answerCallbackQuery"] = [Fault.ERROR] * 100
        await telegram.press(telegram.controls(CHAT)[0], "Piano")
        await telegram.wait_for(lambda: "• Piano" in telegram.scores(CHAT)[0].buttons)

    assert len(fake.renders) == 1


async def test_a_recording_waits_for_a_service_that_is_starting(
    telegram: FakeTelegram, free_port: int
) -> None:
    fake, address = FakeService(), f"127.0.0.1:{free_port}"
    async with polling(telegram, address):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(lambda: telegram.shown(CHAT))
        [notice] = telegram.shown(CHAT)
        assert "Your recording waits" in notice.text
        assert not notice.buttons
        async with serve(fake, address):
            await telegram.wait_for(lambda: _is_done(telegram))
    assert [audio for _, audio in fake.transcriptions] == [AUDIO]
    assert len(telegram.scores(CHAT)) == len(telegram.controls(CHAT)) == 1
    assert len(telegram.shown(CHAT)) == 1, "a page with its buttons, and nothing else"


async def test_a_person_is_told_of_a_service_that_stays_away(
    telegram: FakeTelegram, free_port: int
) -> None:
    async with polling(telegram, f"127.0.0.1:{free_port}", service_patience_s=0.2):
        await telegram.send_voice(CHAT, AUDIO)
        await telegram.wait_for(
            lambda: [m for m in telegram.shown(CHAT) if "is not answering" in m.text]
        )
        await telegram.wait_for(
            lambda: ["Try again" in m.text for m in telegram.shown(CHAT)] == [True]
        )
