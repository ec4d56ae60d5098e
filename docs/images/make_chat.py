"""Takes the picture of the chat page that the README shows: ``python docs/images/make_chat.py``.

The service and the bot run as ``make run`` starts them, with the default models. A sample of the
project is sent through the page in a real Chromium, and the page is photographed when its buttons
are there.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import Page, async_playwright, expect

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.e2e.chromium import find_or_install_chromium, launch  # noqa: E402
from tests.e2e.page import drop, messages, say, scores  # noqa: E402
from tests.e2e.stack import Stack, open_chat  # noqa: E402

SAMPLE = ROOT / "docs" / "samples" / "voice.ogg"
TITLE = "Ode to Joy"
WIDTH = 1000
RESULT_MS = 120_000


async def photograph(target: Path) -> None:
    """Send the sample and write the picture.

    Raises
    ------
    AssertionError
        If the score does not come.
    SystemExit
        If there is no Chromium.
    """
    chromium = find_or_install_chromium()
    if chromium is None:
        sys.exit("install Debian's package `chromium` first")
    with TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            await asyncio.gather(stack.start_service(), stack.start_bot())
            async with async_playwright() as playwright:
                browser = await launch(playwright, chromium)
                context = await browser.new_context(locale="en-GB")
                page = await open_chat(context, stack, width=WIDTH, height=800)
                await send(page)
                height = await page.evaluate("document.querySelector('#messages').scrollHeight")
                await page.set_viewport_size({"width": WIDTH, "height": height + 100})
                await page.screenshot(path=target, animations="disabled")
                await browser.close()
        finally:
            await stack.stop()


async def send(page: Page) -> None:
    """Greet the bot, send the sample, and wait for the page and the buttons under it."""
    await say(page, "/start")
    await expect(messages(page)).to_have_count(2)
    await drop(page, "#chat", f"{TITLE}.ogg", "audio/ogg", SAMPLE.read_bytes())
    await expect(scores(page)).to_have_count(1, timeout=RESULT_MS)
    await expect(page.get_by_role("button", name="Semitone up")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


if __name__ == "__main__":
    asyncio.run(photograph(Path(__file__).with_name("chat.png")))
