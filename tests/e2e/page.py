"""What a person does on the chat page, and what the page shows them."""

from __future__ import annotations

import base64

from playwright.async_api import FilePayload, Locator, Page

DROP = """async ([selector, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const fire = (kind, target) => target.dispatchEvent(
    new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  fire("dragenter", document.querySelector("#chat"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  fire("dragover", document.querySelector(selector));
  fire("drop", document.querySelector(selector));
}"""


def messages(page: Page) -> Locator:
    """The messages that have arrived."""
    return page.locator("#messages .message:not(.pending)")


async def say(page: Page, text: str) -> None:
    """Type a message and send it."""
    await page.locator("#text").fill(text)
    await page.locator("#send-button").click()


async def drop(page: Page, selector: str, name: str, media_type: str, data: bytes) -> None:
    """Drop a file on an element."""
    await page.evaluate(DROP, [selector, name, media_type, base64.b64encode(data).decode()])


async def attach(page: Page, kind: str, name: str, media_type: str, data: bytes) -> None:
    """Attach a file through the menu, as the given kind of message."""
    await page.locator("#attach-button").click()
    async with page.expect_file_chooser() as chooser:
        await page.locator(f"#attach-menu [data-kind={kind}]").click()
    file: FilePayload = {"name": name, "mimeType": media_type, "buffer": data}
    await (await chooser.value).set_files(file)


def scores(page: Page) -> Locator:
    """The messages that show pages of score."""
    return messages(page).filter(has=page.locator(".photo"))
