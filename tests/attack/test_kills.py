"""SIGKILL at every moment of a job: no recording is lost, nothing comes twice.

The bot and the service are processes of their own. Telegram is a double that outlives both and does
the killing: when a certain call arrives, or once it is carried out.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from tests.attack.programs import Programs
from tests.attack.table import Row
from tests.bot.botapi import FakeTelegram

WAIT_S = 120.0
RECORDING = b"OggS" + bytes(300_000)

# A call of the bot, its how-manieth for the recording, and whether it is carried out.
BOT_MOMENTS = [
    ("sendMessage", 1, "before"),
    ("sendMessage", 1, "after"),
    ("getFile", 1, "before"),
    ("file", 1, "before"),
    ("editMessageText", 1, "after"),
    ("sendPhoto", 1, "before"),
    ("sendPhoto", 1, "after"),
    ("deleteMessage", 1, "after"),
]
SERVICE_MOMENTS = [
    ("sendMessage", 1, "after"),
    ("file", 1, "before"),
    ("editMessageText", 1, "after"),
    ("sendPhoto", 1, "before"),
    ("sendPhoto", 1, "after"),
]
ALWAYS = {"bot": ("sendPhoto", 1, "after"), "service": ("file", 1, "before")}
"""The moment of each program that is tried in every run of the tests."""


def _each(moments: list[tuple[str, int, str]], always: tuple[str, int, str]) -> list[Any]:
    """The moments as parameters; those beyond the share of ``make test`` are marked."""
    return [
        pytest.param(
            moment,
            id="-".join(map(str, moment)),
            marks=() if moment == always else pytest.mark.attack,
        )
        for moment in moments
    ]


async def send_and_kill(
    programs: Programs, telegram: FakeTelegram, victim: str, moment: tuple[str, int, str], chat: int
) -> None:
    """Send a recording, and kill a program when the moment comes."""
    method, number, phase = moment
    killed = asyncio.Event()
    seen = 0

    async def watch(called: str, when: str) -> None:
        nonlocal seen
        if killed.is_set() or called != method or when != phase:
            return
        seen += 1
        if seen < number:
            return
        killed.set()
        await programs.kill(victim)
        if phase == "before" and victim == "bot":
            raise web.HTTPServiceUnavailable

    telegram.on_call = watch
    await telegram.send_voice(chat, RECORDING)
    await asyncio.wait_for(killed.wait(), WAIT_S)
    telegram.on_call = None


def problems(telegram: FakeTelegram, chat: int) -> list[str]:
    """What a chat lacks, or has twice."""
    shown = telegram.shown(chat)
    pages, controls = telegram.scores(chat), telegram.controls(chat)
    offers = [message for message in shown if list(message.buttons) == ["Full score"]]
    found = []
    if len(controls) > 1 or len(offers) > 1 or not (controls or offers):
        found.append(f"{len(controls)} messages with buttons, {len(offers)} with an offer")
    if not pages and not any("to get it again" in m.text for m in controls + offers):
        found.append("the page is missing, and nobody says so")
    if len(pages) > 1:
        found.append("the page came twice")
    if any(m.kind == "sendMessage" and m not in controls + offers for m in shown):
        found.append("a status message was left behind")
    return found


async def settle(telegram: FakeTelegram, programs: Programs, chat: int, row: Row) -> None:
    """Wait until a chat has its score and nothing else."""
    row.tried += 1
    try:
        await telegram.wait_for(lambda: not problems(telegram, chat), WAIT_S)
        await asyncio.sleep(0.5)  # whatever comes twice comes now
        assert problems(telegram, chat) == []
    except (TimeoutError, AssertionError) as error:
        text = f"{problems(telegram, chat)} {telegram.shown(chat)}\n{programs.log('bot')}"
        row.lost += not telegram.scores(chat)
        row.duplicated += bool(telegram.scores(chat))
        raise AssertionError(text) from error
    row.survived += 1


@pytest.mark.parametrize("moment", _each(BOT_MOMENTS, ALWAYS["bot"]))
async def test_a_killed_bot_loses_nothing_and_repeats_nothing(
    programs: Programs, telegram: FakeTelegram, row: Row, moment: tuple[str, int, str]
) -> None:
    row.attack = f"kill -9 of the bot: {moment}"
    await send_and_kill(programs, telegram, "bot", moment, chat=1)
    await programs.start_bot()
    if moment == ("sendMessage", 1, "after"):
        # The bot never learns of this status message. Its button removes it.
        stale = telegram.shown(1)[0]
        await telegram.wait_for(lambda: telegram.controls(1), WAIT_S)
        await telegram.press(stale, "Cancel")
    await settle(telegram, programs, 1, row)


@pytest.mark.parametrize("moment", _each(SERVICE_MOMENTS, ALWAYS["service"]))
async def test_a_killed_service_loses_nothing_and_repeats_nothing(
    programs: Programs, telegram: FakeTelegram, row: Row, moment: tuple[str, int, str]
) -> None:
    row.attack = f"kill -9 of the service: {moment}"
    await send_and_kill(programs, telegram, "service", moment, chat=1)
    await programs.start_service()
    await settle(telegram, programs, 1, row)
