"""A real Chromium, and the local chat for it to show."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from bot.localchat.server import LocalChat, serve_localchat
from tests.e2e.chromium import find_or_install_chromium, launch
from tests.e2e.scripted_bot import run_scripted_bot

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
WAIT_MS = 10_000

OpenPage = Callable[..., Awaitable[Page]]
Screenshot = Callable[[Page, str], Awaitable[None]]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Chromium's path; Debian's package is installed where that is possible."""
    path = find_or_install_chromium()
    if path is None:
        pytest.skip("no Chromium here: install Debian's package `chromium`")
    return path


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """One browser for all tests."""
    async with async_playwright() as playwright:
        browser = await launch(playwright, chromium_path)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile; a page that reports a script error fails its test."""
    faults: list[str] = []
    context = await browser.new_context(
        viewport=DESKTOP,  # type: ignore[arg-type]
        locale="en-GB",
        permissions=["microphone", "clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(WAIT_MS)
    context.on("weberror", lambda fault: faults.append(str(fault.error)))
    yield context
    await context.close()
    assert not faults


@pytest_asyncio.fixture(loop_scope="session")
async def chat() -> AsyncIterator[LocalChat]:
    """A local chat with the scripted bot behind it; its flood control is off."""
    async with serve_localchat(port=0, flood_limit=None) as chat, run_scripted_bot(chat):
        yield chat


@pytest.fixture
def open_page(context: BrowserContext, chat: LocalChat) -> OpenPage:
    """Open the chat page and wait until it shows the chat."""

    async def open_page(**viewport: int) -> Page:
        page = await context.new_page()
        if viewport:
            await page.set_viewport_size(viewport)  # type: ignore[arg-type]
        await page.goto(chat.page_url)
        await page.locator("body[data-ready]").wait_for()
        return page

    return open_page


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Screenshot:
    """Save what a page shows into the folder that NOTABOT_SCREENSHOTS names, if it names one."""

    async def save(page: Page, name: str) -> None:
        folder = os.environ.get("NOTABOT_SCREENSHOTS")
        if folder:
            safe = re.sub(r"[^\w-]+", "-", name)
            path = Path(folder) / f"{safe}.png"
            await page.screenshot(path=path, animations="disabled")

    return save
