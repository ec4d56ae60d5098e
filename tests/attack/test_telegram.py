"""Telegram fails in every way at every method, before the real programs: every score arrives, once.

``tests/bot/test_outages.py`` has the share of this that every run of the tests contains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest

from tests.attack.programs import Programs
from tests.attack.table import Row
from tests.bot.botapi import FakeTelegram, Fault

WAIT_S = 180.0
RECORDING = b"OggS" + bytes(300_000)
METHODS = ["sendMessage", "editMessageText", "getFile", "file", "sendPhoto", "deleteMessage"]
PRESSED = ["editMessageMedia", "answerCallbackQuery"]


@pytest.mark.attack
@pytest.mark.parametrize("method", METHODS)
async def test_a_score_arrives_once(
    programs: Programs, telegram: FakeTelegram, row: Row, method: str
) -> None:
    """As many people as there are faults send a recording; each call meets the next fault."""
    row.attack = f"Telegram fails: {method}, {len(Fault)} ways"
    people = range(1, len(Fault) + 1)
    telegram.faults[method] = list(Fault)
    for person in people:
        await telegram.send_voice(person, RECORDING)
    await _wait(telegram, lambda person: bool(telegram.controls(person)), people)
    await asyncio.sleep(1.0)  # whatever comes twice comes now
    for person in people:
        pages = telegram.scores(person)
        row.note(survived=len(pages) == 1 and len(telegram.controls(person)) == 1)
        row.lost += not pages
        row.duplicated += len(pages) > 1
    assert not telegram.faults[method], "every fault was met"
    assert row.survived == row.tried, programs.log("bot")


@pytest.mark.attack
@pytest.mark.parametrize("method", PRESSED)
async def test_a_press_is_answered(
    programs: Programs, telegram: FakeTelegram, row: Row, method: str
) -> None:
    """As many people as there are faults ask for another view."""
    row.attack = f"Telegram fails: {method}, {len(Fault)} ways"
    people = range(1, len(Fault) + 1)
    for person in people:
        await telegram.send_voice(person, RECORDING)
    await _wait(telegram, lambda person: bool(telegram.controls(person)), people)
    telegram.faults[method] = list(Fault)
    for person in people:
        await telegram.press(telegram.controls(person)[0], "Melody")

    def is_melody(person: int) -> bool:
        return any("• Melody" in message.buttons for message in telegram.shown(person))

    await _wait(telegram, is_melody, people)
    for person in people:
        row.note(survived=is_melody(person) and len(telegram.scores(person)) == 1)
        row.lost += not is_melody(person)
        row.duplicated += len(telegram.scores(person)) > 1
    assert row.survived == row.tried, programs.log("bot")


async def _wait(
    telegram: FakeTelegram, is_done: Callable[[int], bool], people: Iterable[int]
) -> None:
    """Wait until everyone has what they wait for, or the time is over."""
    try:
        await telegram.wait_for(lambda: all(map(is_done, people)), WAIT_S)
    except TimeoutError:
        return  # the row says who lacks it
