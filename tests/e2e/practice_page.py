"""What a reader does on the practice page, and an ear that listens to it."""

from __future__ import annotations

import asyncio
from typing import Final

from playwright.async_api import Locator, Page

WAIT_MS: Final = 20_000
"""Pages are engraved meanwhile, by a machine that may be busy."""

LISTEN: Final = """async (threshold) => {
  const { context, input } = practice.player.output;
  await context.audioWorklet.addModule("assets/onsets.js");
  const processorOptions = { threshold, restS: 0.06 };
  const node = new AudioWorkletNode(context, "onsets", { processorOptions });
  window.heard = [];
  node.port.onmessage = ({ data }) => {
    const { clock } = practice.player;
    const seconds = clock.position(data - practice.player.output.delay);
    const quarters = practice.index.timeline.toQuarters(seconds);
    window.heard.push([seconds, quarters]);
  };
  input.connect(node);
}"""
"""Notes in ``window.heard`` where the clock is whenever a sound leaves the page."""

REFUSE_OPUS: Final = """() => {
  const decode = AudioContext.prototype.decodeAudioData;
  AudioContext.prototype.decodeAudioData = function (file) {
    const isOgg = String.fromCharCode(...new Uint8Array(file, 0, 4)) === "OggS";
    return isOgg
      ? Promise.reject(new DOMException("no Opus", "EncodingError"))
      : decode.call(this, file);
  };
}"""
"""Lets the browser decode no Opus in Ogg, as Safari before 18.4."""


async def until(page: Page, condition: str, argument: object = None) -> None:
    """Wait until a function is true in the page, whose policy forbids Playwright's own way."""
    async with asyncio.timeout(WAIT_MS / 1000):
        while not await page.evaluate(condition, argument):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def play(page: Page) -> None:
    """Press the button, and wait until the music moves."""
    await page.get_by_role("button", name="Play").click()
    await until(page, "() => practice.player.clock.isRunning")


async def turn(page: Page, *, recording: bool, instruments: bool) -> None:
    """Turn the recording and the instruments on or off."""
    await page.evaluate(
        """([recording, instruments]) => {
          for (const { id, kind } of practice.player.tracks) {
            if (kind === "sound") practice.setTrack(id, { isMuted: !recording });
            if (kind === "part") practice.setTrack(id, { isMuted: !instruments });
          }
        }""",
        [recording, instruments],
    )


async def listen(page: Page, threshold: float) -> None:
    """Note from now on where the clock is whenever a sound leaves the page."""
    await page.evaluate(LISTEN, threshold)


async def touch(page: Page, start: Locator, stop: Locator) -> None:
    """Drag with a finger from the middle of one element to the middle of another."""
    begin, end = await _middle(start), await _middle(stop)
    session = await page.context.new_cdp_session(page)

    async def send(kind: str, *points: tuple[float, float]) -> None:
        touched = [{"x": x, "y": y} for x, y in points]
        await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    await send("touchStart", begin)
    for k in range(1, 6):
        x, y = (a + k / 5 * (b - a) for a, b in zip(begin, end, strict=True))
        await send("touchMove", (x, y))
    await send("touchEnd")


async def _middle(element: Locator) -> tuple[float, float]:
    box = await element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
