"""The practice page in Chromium: is the cursor on the note that is heard, over a minute of playing
with changes of speed and loops, and how fast is a score of 12 pages?

The real bot and service serve the page; no model is run. As in life, the service has drawn a page
for the chat before. What sounds is heard through the page's own output by an audio worklet. The
distance of a sound is the time of the recording between the page's clock at that moment and the
nearest note. Notes are spaced irregularly, so that a clock that is off by a note is noticed.
Nothing is left out around jumps and changes of speed.

Chromium runs without a screen and draws on the CPU, so its frame rate is a lower bound for a device
with a display; the work of the page's main thread does not depend on that. The other figures are
over a home's network: 50 Mbit/s, and answers that come 5 ms later.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Page,
    async_playwright,
)
from structlog.testing import capture_logs

from inference_service.music.events import Transcription
from inference_service.notation.names import Language
from inference_service.pipeline.options import Format, RenderOptions
from inference_service.pipeline.render import render
from inference_service.progress import Stage
from tests.bench.table import Row
from tests.e2e.chromium import find_or_install_chromium, launch
from tests.e2e.conftest import PHONE
from tests.e2e.practice import STATIC, Practised, breathe_freely, serve_practice
from tests.e2e.practice_page import WAIT_MS, listen, play, turn, until
from tests.factories import perform, place

TITLE = "The practice page in Chromium"
TARGET_MS: Final = 50.0
TARGET_OPENING_S: Final = 2.0
TARGET_FIRST_NOTE_S: Final = 3.0
TARGET_FPS: Final = 55.0
"""60 frames a second, but for a few that come late."""

PAGE_TITLE: Final = "A score"
BARS: Final = 48
LONG_BARS: Final = 140
"""Of the score of 12 pages."""

SIZES: Final = {"phone": PHONE, "desktop": {"width": 1440, "height": 900}}
NETWORK: Final = {
    "offline": False,
    "latency": 5,
    "downloadThroughput": 50e6 / 8,
    "uploadThroughput": 50e6 / 8,
}
SCROLLING_S: Final = 15.0
LATE_MS: Final = 25.0
"""A frame that comes later than this after the one before has been left out once."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a minute of playing: the speed, the bars that are repeated if any, and how long."""

    speed: float
    passage: tuple[int, int] | None
    duration_s: float


MINUTE: Final = (
    Stretch(1.0, None, 9),
    Stretch(0.5, None, 9),
    Stretch(1.5, None, 6),
    Stretch(1.5, (6, 7), 6),
    Stretch(0.75, (6, 7), 9),
    Stretch(1.25, (2, 3), 7),
    Stretch(0.25, (2, 2), 8),
    Stretch(1.0, None, 6),
)

SET_OUT: Final = """([speed, passage]) => {
  practice.player.setSpeed(speed);
  practice.player.setPassage(passage && { first: passage[0], last: passage[1] });
}"""

NOTE_OPENING: Final = """addEventListener("DOMContentLoaded", () => {
  new MutationObserver((_, observer) => {
    if (document.body.dataset.ready === undefined) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.openedMs = performance.now(); }));
  }).observe(document.body, { attributes: true });
})"""
"""Notes when the first frame with the score has been drawn."""

WATCH: Final = """async (seconds) => {
  const times = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) times.push(await new Promise(requestAnimationFrame));
  return times;
}"""

SCROLL: Final = """async (seconds) => {
  const scroller = document.querySelector(".scroller");
  const times = [];
  let direction = 1;
  const end = performance.now() + 1000 * seconds;
  scroller.dispatchEvent(new WheelEvent("wheel"));
  while (performance.now() < end) {
    times.push(await new Promise(requestAnimationFrame));
    if (scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - 20) direction = -1;
    if (scroller.scrollTop < 20) direction = 1;
    scroller.scrollBy({ top: 16 * direction, behavior: "instant" });
    if (times.length % 60 === 0) scroller.dispatchEvent(new WheelEvent("wheel"));
  }
  return times;
}"""

FIRST_NOTE: Final = """async (threshold) => {
  const { player } = practice;
  const begin = performance.now();
  const first = new Promise((resolve) => {
    const attach = async () => {
      if (!player.output) return setTimeout(attach, 1);
      const { context, input } = player.output;
      await context.audioWorklet.addModule("assets/onsets.js");
      const processorOptions = { threshold, restS: 0.06 };
      const node = new AudioWorkletNode(context, "onsets", { processorOptions });
      node.port.onmessage = () =>
        resolve((performance.now() - begin) / 1000 + (context.outputLatency || 0));
      input.connect(node);
    };
    attach();
  });
  practice.togglePlaying();
  return first;
}"""


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Play for two minutes, and open, scroll and start a long score."""
    if not (STATIC / "index.html").exists():
        raise FileNotFoundError("the page is not built: make page")
    chromium = find_or_install_chromium()
    if chromium is None:
        raise FileNotFoundError("no Chromium here: install Debian's package `chromium`")
    with capture_logs():
        yield from asyncio.run(_measure(chromium))


def smoke() -> Iterator[Row]:
    """Measure nothing: tests/e2e/test_practice_page.py plays the page for a few seconds.

    Raises
    ------
    FileNotFoundError
        Always.
    """
    raise FileNotFoundError("played only without --smoke; tests/e2e/test_practice_page.py plays it")


async def _measure(chromium: str) -> list[Row]:
    rows: list[Row] = []
    async with async_playwright() as playwright:
        browser = await launch(playwright, chromium)
        async with _serve(build_irregular()) as practised:
            for source in ("recording", "instruments"):
                rows += await _measure_distance(browser, practised, source)
        async with _serve(build_long()) as practised:
            for name in SIZES:
                rows += await _measure_opening(browser, practised, name)
                rows += await _measure_frames(browser, practised, name)
            rows.append(await _measure_first_note(browser, practised))
        await browser.close()
    return rows


def build_irregular() -> Transcription:
    """Return a melody of notes of irregular lengths, played in a free tempo."""
    generator = random.Random(1)
    notes: list[tuple[float, float, int]] = []
    beat = 0.0
    while beat < 4 * BARS:
        length = generator.choice((0.5, 1.0, 1.0, 1.5))
        notes.append((beat, 0.4, 60 + generator.randrange(13)))
        beat += length
    return breathe_freely(perform({"piano": notes}))


def build_long() -> Transcription:
    """Return a tune in eighths over chords in quarters: 12 pages."""
    tune = [
        (4 * bar + k / 2, 0.5, 72 + (5 * bar + 3 * k) % 12)
        for bar in range(LONG_BARS)
        for k in range(8)
    ]
    chords = [(4 * bar + k, 1.0, p) for bar in range(LONG_BARS) for k in range(4) for p in (48, 55)]
    return replace(place(perform({"piano": [*tune, *chords]})), preset="piano")


@asynccontextmanager
async def _serve(performance: Transcription) -> AsyncIterator[Practised]:
    """Serve the page of a score of which the service has drawn a page for the chat."""
    options = RenderOptions(
        formats=frozenset({Format.PNG}), page=1, title=PAGE_TITLE, language=Language.EN
    )
    await asyncio.to_thread(render, performance, options, _ignore)
    with TemporaryDirectory() as folder:
        async with serve_practice(Path(folder), performance) as practised:
            yield practised


@asynccontextmanager
async def _open_context(browser: Browser, viewport: Any) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport=viewport, locale="en-GB")
    context.set_default_timeout(WAIT_MS)
    yield context
    await context.close()


async def _open(context: BrowserContext, practised: Practised) -> Page:
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", NETWORK)
    await page.goto(practised.address(PAGE_TITLE))
    await page.locator("body[data-ready]").wait_for()
    return page


async def _measure_distance(browser: Browser, practised: Practised, source: str) -> list[Row]:
    async with _open_context(browser, SIZES["desktop"]) as context:
        page = await _open(context, practised)
        await turn(page, recording=source == "recording", instruments=source == "instruments")
        await play(page)
        await listen(page, 0.12 if source == "recording" else 0.01)
        for stretch in MINUTE:
            await page.evaluate(SET_OUT, [stretch.speed, stretch.passage])
            await asyncio.sleep(stretch.duration_s)
        heard_s = [seconds for seconds, _ in await page.evaluate("window.heard")]
    onsets_s = np.array(practised.onsets_s)
    off_ms = [1000 * np.abs(onsets_s - seconds).min() for seconds in heard_s]
    name = f"{source}, a minute, {len(off_ms)} notes"
    return [
        Row(f"{name}: ms off, median", float(np.median(off_ms)), TARGET_MS, at_most=True),
        Row(f"{source}: ms off, 90 % within", float(np.percentile(off_ms, 90))),
        Row(f"{source}: ms off, 99 % within", float(np.percentile(off_ms, 99))),
    ]


async def _measure_opening(browser: Browser, practised: Practised, name: str) -> list[Row]:
    """Open a score that has never been engraved for this width, and once more."""
    rows = []
    for state in ("engraved anew", "engraved before"):
        async with _open_context(browser, SIZES[name]) as context:
            await context.add_init_script(NOTE_OPENING)
            page = await _open(context, practised)
            await until(page, "() => window.openedMs !== undefined")
            taken_s = await page.evaluate("window.openedMs / 1000")
        what = f"{name}: seconds until the score is seen, {state}"
        rows.append(Row(what, taken_s, TARGET_OPENING_S, at_most=True))
    return rows


async def _measure_frames(browser: Browser, practised: Practised, name: str) -> list[Row]:
    """Play at full speed, and scroll through the whole score meanwhile."""
    rows = []
    async with _open_context(browser, SIZES[name]) as context:
        page = await _open(context, practised)
        session = await context.new_cdp_session(page)
        await session.send("Performance.enable")
        await turn(page, recording=True, instruments=False)
        await page.evaluate("practice.player.setSpeed(1.5)")
        await play(page)
        for what, script in (("playing", WATCH), ("playing and scrolling", SCROLL)):
            before = await _read_work_s(session)
            times_ms = np.array(await page.evaluate(script, SCROLLING_S))
            work_s = await _read_work_s(session) - before
            late = float(np.mean(np.diff(times_ms) > LATE_MS))
            rate = (len(times_ms) - 1) / (times_ms[-1] - times_ms[0]) * 1000
            rows += [
                Row(f"{name}, {what}: frames per second", rate, TARGET_FPS),
                Row(f"{name}, {what}: share of late frames", late),
                Row(f"{name}, {what}: ms of work per frame", 1000 * work_s / len(times_ms)),
            ]
    return rows


async def _read_work_s(session: CDPSession) -> float:
    """Return for how long the page's main thread has worked."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


async def _measure_first_note(browser: Browser, practised: Practised) -> Row:
    """Press play in a browser that has kept nothing, with instruments alone."""
    async with _open_context(browser, SIZES["phone"]) as context:
        page = await _open(context, practised)
        await turn(page, recording=False, instruments=True)
        taken_s = await page.evaluate(FIRST_NOTE, 0.005)
    what = "seconds from play to the first note of the synthesiser"
    return Row(what, taken_s, TARGET_FIRST_NOTE_S, at_most=True)


def _ignore(stage: Stage, fraction: float) -> None:
    """Report progress to nobody."""
