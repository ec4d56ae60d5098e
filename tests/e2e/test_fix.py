"""A wrong metre is put right on the chat page, on a phone, in Russian.

The service and the bot run in processes of their own. The chat page outlives the bot, which is
restarted in the middle.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Locator, Page, expect

from bot.localchat.server import LocalChat, serve_localchat
from tests.e2e.conftest import PHONE, Screenshot
from tests.e2e.page import drop, say, scores
from tests.e2e.stack import Stack, open_chat
from tests.factories import build_scale, encode_audio, sing

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

# A waltz of broken chords in even notes, which may be heard in fours.
WALTZ = (60, 64, 67, 62, 65, 69, 64, 67, 72, 59, 62, 67, 60, 64, 67, 65, 69, 72, 67, 65, 62, 60)
RESULT_MS = 90_000
PAGE_MS = 15_000


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def chat() -> AsyncIterator[LocalChat]:
    """A chat page that is not the bot's."""
    async with serve_localchat(port=0, flood_limit=None) as chat:
        yield chat


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, chat: LocalChat) -> AsyncIterator[Stack]:
    """A service, and a bot on that chat page."""
    stack = Stack(tmp_path_factory.mktemp("fix"))
    try:
        await asyncio.gather(stack.start_service(), stack.start_bot(chat))
        yield stack
    finally:
        await stack.stop()


async def speak_russian(page: Page) -> None:
    """Choose Russian in the chat page's settings."""
    await page.locator("#settings-button").click()
    await page.get_by_text("Русский").click()
    await page.keyboard.press("Escape")


def button(page: Page, name: str) -> Locator:
    """The button of this name under the latest page of score that has it."""
    return scores(page).last.get_by_role("button", name=name, exact=True)


async def shows(page: Page, *texts: str) -> None:
    """Wait until the caption of the latest page of score contains these texts."""
    for text in texts:
        await expect(scores(page).last).to_contain_text(text, timeout=PAGE_MS)


async def test_a_wrong_metre_put_right_by_two_taps_and_by_writing(
    context: BrowserContext, stack: Stack, chat: LocalChat, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack, **PHONE)
    await speak_russian(page)
    sound = encode_audio(sing(build_scale(WALTZ, note_s=0.5)).samples, "ogg-opus")
    await drop(page, "#chat", "Вальс.ogg", "audio/ogg", sound)
    await expect(scores(page)).to_have_count(1, timeout=RESULT_MS)
    await shows(page, "Вальс", "Размер: 4/4?")
    await screenshot(page, "fix-1-doubt")

    await button(page, "Исправить").click()
    await expect(button(page, "3/4?")).to_be_visible(timeout=PAGE_MS)
    await screenshot(page, "fix-2-choices")
    heard = await scores(page).last.locator("img").first.get_attribute("src") or ""
    await button(page, "3/4?").click()
    await shows(page, "Размер: 3/4", "Исправлено: размер 3/4")
    await expect(scores(page).last.locator("img").first).not_to_have_attribute("src", heard)
    await expect(scores(page)).to_have_count(1)  # the same message shows it
    await screenshot(page, "fix-3-two-taps")

    await button(page, "↶ Отменить").click()
    await shows(page, "Размер: 4/4?")
    await expect(scores(page).last).not_to_contain_text("Исправлено")
    await screenshot(page, "fix-4-undone")

    await stack.stop_bot()
    await stack.start_bot(chat)
    await say(page, "Это 3/4")
    await expect(scores(page)).to_have_count(2, timeout=PAGE_MS)
    await shows(page, "Вальс", "Размер: 3/4", "Исправлено: размер 3/4")
    await screenshot(page, "fix-5-written")

    await say(page, "отмени")
    await expect(scores(page)).to_have_count(3, timeout=PAGE_MS)
    await shows(page, "Размер: 4/4?")

    await say(page, "сделай красиво")
    answer = page.locator("#messages .text", has_text="Этого я не понял").last
    await expect(answer).to_contain_text("на долю позже", timeout=PAGE_MS)
    await screenshot(page, "fix-6-not-understood")

    await say(page, "3/4, ре минор, на тон выше, без триолей")
    await expect(scores(page)).to_have_count(4, timeout=PAGE_MS)
    await shows(page, "Размер: 3/4", "ми минор", "без триолей")
    await screenshot(page, "fix-7-several")
