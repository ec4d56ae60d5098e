"""The practice page in a real Chromium, before the real bot and service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import PHONE, Screenshot
from tests.e2e.practice import BARS, STATIC, Practised, serve_practice
from tests.e2e.practice_page import REFUSE_OPUS, WAIT_MS, listen, play, touch, turn, until
from tests.service.running import wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(
        not (STATIC / "index.html").exists(), reason="the page is not built: make page"
    ),
]

SIDEWAYS = {"width": 844, "height": 390}
DESKTOP = {"width": 1440, "height": 900}
TOLERANCE_S = 0.05
NOTE_ACTIONS = (
    "Step up",
    "Step down",
    "Semitone up",
    "Semitone down",
    "Longer",
    "Shorter",
    "Split",
    "Tie",
    "Delete",
)
USUAL_WAIT_MS = 5_000

OpenPractice = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def practised(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Practised]:
    """A page that can be opened."""
    async with serve_practice(tmp_path_factory.mktemp("practice")) as practised:
        yield practised


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, practised: Practised) -> AsyncIterator[BrowserContext]:
    """A fresh profile, in which no script fails, no policy is broken and nobody else is asked."""
    faults: list[str] = []
    context = await browser.new_context(viewport=DESKTOP, locale="en-GB")  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    context.on("weberror", lambda fault: faults.append(str(fault.error)))
    context.on("console", lambda said: faults.append(said.text) if is_fault(said) else None)
    context.on(
        "request",
        lambda request: faults.append(request.url) if is_strange(request.url, practised) else None,
    )
    yield context
    expect.set_options(timeout=USUAL_WAIT_MS)
    await context.close()
    assert not faults


def is_fault(said: Any) -> bool:
    """Whether a line on the console tells of a fault; refusals of the bot are answers."""
    return said.type == "error" and "status of 4" not in said.text


def is_strange(url: str, practised: Practised) -> bool:
    """Whether an address is not the bot's."""
    return not url.startswith((practised.house.url, "blob:", "data:", "file:"))


@pytest.fixture
def open_practice(context: BrowserContext, practised: Practised) -> OpenPractice:
    """Open the page and wait until it shows the score."""

    async def open_practice(viewport: dict[str, int] = DESKTOP) -> Page:
        page = await context.new_page()
        await page.set_viewport_size(viewport)  # type: ignore[arg-type]
        await page.goto(practised.address())
        await page.locator("body[data-ready]").wait_for()
        return page

    return open_practice


async def errors_of(page: Page, onsets_s: list[float], wait_s: float) -> list[float]:
    """Return by how much the clock is off, at each sound of a while, in seconds."""
    await page.evaluate("window.heard = []")
    await asyncio.sleep(wait_s)
    heard = await page.evaluate("window.heard")
    return [min(abs(seconds - onset) for onset in onsets_s) for seconds, _ in heard]


@pytest.mark.parametrize("source", ["recording", "instruments"])
async def test_the_clock_is_where_the_sound_is(
    open_practice: OpenPractice, practised: Practised, source: str
) -> None:
    """At changing speeds and in a loop, heard through the page's own output."""
    page = await open_practice()
    await turn(page, recording=source == "recording", instruments=source == "instruments")
    await play(page)
    await listen(page, 0.12 if source == "recording" else 0.01)
    errors: list[float] = []
    for speed in (1.0, 0.5, 1.5, 0.8):
        await page.evaluate("speed => practice.player.setSpeed(speed)", speed)
        await asyncio.sleep(0.4)
        errors += await errors_of(page, practised.onsets_s, 2.5)
    await page.evaluate("practice.player.setPassage({ first: 2, last: 3 })")
    await asyncio.sleep(0.4)
    looped = await errors_of(page, practised.onsets_s, 5)
    bars = {int(quarters // 4) for _, quarters in await page.evaluate("window.heard")}
    assert bars == {2, 3}
    assert len(errors) >= 10
    assert len(looped) >= 5
    assert median(errors) <= TOLERANCE_S
    assert median(looped) <= TOLERANCE_S


async def test_a_browser_without_opus_gets_another_encoding(
    open_practice: OpenPractice, practised: Practised
) -> None:
    """As Safari before 18.4, which decodes no Opus in Ogg; the clock stays right."""
    page = await open_practice()
    await page.evaluate(REFUSE_OPUS)
    await turn(page, recording=True, instruments=False)
    await play(page)
    await listen(page, 0.12)
    await asyncio.sleep(0.4)
    errors = await errors_of(page, practised.onsets_s, 2.5)
    assert len(errors) >= 3
    assert median(errors) <= TOLERANCE_S
    assert await page.evaluate("practice.player.encoding") == "flac"


async def test_the_cursor_stands_on_the_note(
    open_practice: OpenPractice, practised: Practised
) -> None:
    page = await open_practice()
    for beat in (0, 5, 17):
        await page.evaluate("beat => practice.player.seek(beat)", beat)
        note = await page.evaluate(
            "beat => practice.index.notesAt(beat).find(({ pitch }) => pitch > 60).ids[0]", beat
        )
        await page.wait_for_timeout(100)
        cursor = await page.locator(".cursor").bounding_box()
        head = await page.locator(f"[id='{note}'] .notehead").bounding_box()
        assert cursor is not None
        assert head is not None
        assert abs(cursor["x"] + cursor["width"] / 2 - head["x"] - head["width"] / 2) < 2
        seconds = await page.evaluate("practice.player.heardSeconds()")
        assert min(abs(seconds - onset) for onset in practised.onsets_s) < TOLERANCE_S


async def test_a_tap_goes_there_and_dragging_repeats(open_practice: OpenPractice) -> None:
    page = await open_practice()
    note = await page.evaluate("practice.index.notesStarting(6, 6.5).at(-1).ids[0]")
    await page.locator(f"[id='{note}'] .notehead").click()
    assert await page.evaluate("practice.player.heardQuarters()") == pytest.approx(6)
    first, last = page.locator("#bar-1 .staff").first, page.locator("#bar-2 .staff").first
    start, stop = await first.bounding_box(), await last.bounding_box()
    assert start is not None
    assert stop is not None
    await page.mouse.move(start["x"] + start["width"] / 2, start["y"] + 10)
    await page.mouse.down()
    await page.mouse.move(stop["x"] + stop["width"] / 2, stop["y"] + 10, steps=5)
    await page.mouse.up()
    assert await page.evaluate("practice.player.passage") == {"first": 0, "last": 1}
    await expect(page.locator(".passage")).not_to_have_count(0)
    await expect(page.get_by_role("button", name="Repeat")).to_have_attribute(
        "aria-pressed", "true"
    )


async def test_the_ends_of_a_repeat_are_dragged_and_moved_by_keys(
    open_practice: OpenPractice,
) -> None:
    """By mouse and by finger."""
    page = await open_practice()
    passage = "practice.player.passage"
    await page.evaluate("practice.player.setPassage({ first: 1, last: 2 })")
    end = page.get_by_role("slider", name="Last bar of the repeat")
    bar = await page.locator("#bar-2 .staff").first.bounding_box()
    grip = await end.bounding_box()
    assert bar is not None
    assert grip is not None
    await page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + 10, steps=5)
    await page.mouse.up()
    assert await page.evaluate(passage) == {"first": 1, "last": 1}
    await end.press("ArrowRight")
    await end.press("ArrowRight")
    assert await page.evaluate(passage) == {"first": 1, "last": 3}
    await expect(end).to_have_attribute("aria-valuetext", "Bar 4")
    begin = page.get_by_role("slider", name="First bar of the repeat")
    await touch(page, begin, page.locator("#bar-4 .staff").first)
    assert await page.evaluate(passage) == {"first": 3, "last": 3}
    await begin.press("ArrowRight")
    assert await page.evaluate(passage) == {"first": 3, "last": 3}


async def test_the_keyboard_alone_is_enough(open_practice: OpenPractice) -> None:
    page = await open_practice()
    await page.keyboard.press("Shift+ArrowRight")
    await page.keyboard.press("ArrowRight")
    assert await page.evaluate("practice.player.heardQuarters()") == pytest.approx(5)
    await page.keyboard.press("KeyL")
    assert await page.evaluate("practice.player.passage") == {"first": 1, "last": 1}
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("button", name="Speed: 95 %")).to_be_visible()
    await page.keyboard.press("KeyM")
    await expect(page.get_by_role("button", name="Metronome", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Play")).to_be_visible()
    await page.keyboard.press("Home")
    assert await page.evaluate("practice.player.heardQuarters()") == pytest.approx(0)


async def test_the_mixer(open_practice: OpenPractice) -> None:
    page = await open_practice()
    await play(page)
    await page.get_by_role("button", name="Mute: Piano").click()
    await expect(page.get_by_role("button", name="Mute: Piano")).to_have_attribute(
        "aria-pressed", "false"
    )
    await page.get_by_role("button", name="Solo: Piano").click()
    await listen(page, 0.002)
    await asyncio.sleep(2)
    assert await page.evaluate("window.heard.length") > 0, "the piano alone is heard"
    await page.get_by_role("slider", name="Volume: Piano").fill("0")
    await asyncio.sleep(1.5)
    await page.evaluate("window.heard = []")
    await asyncio.sleep(1.5)
    assert await page.evaluate("window.heard.length") == 0


async def test_transposing_writes_the_page_anew_and_shifts_the_recording(
    open_practice: OpenPractice,
) -> None:
    page = await open_practice()
    pitches = "practice.index.notes.map(({ pitch }) => pitch)"
    before = await page.evaluate(pitches)
    await page.get_by_role("button", name="Page", exact=True).click()
    for _ in range(2):
        await page.get_by_role("button", name="Semitone up").click()
    await expect(page.locator(".stepper output")).to_have_text("+2 semitones")
    assert await page.evaluate(pitches) == [pitch + 2 for pitch in before]


async def test_a_correction_can_be_undone(open_practice: OpenPractice) -> None:
    page = await open_practice()
    await page.get_by_role("button", name="Correct", exact=True).click()
    await page.get_by_role("radio", name="3/4", exact=True).click()
    bars = page.locator("g.measure")
    await expect(bars).to_have_count(BARS * 4 // 3)
    await page.get_by_role("button", name="Undo").click()
    await expect(bars).to_have_count(BARS)
    await expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    await page.get_by_role("button", name="Redo").click()
    await expect(bars).to_have_count(BARS * 4 // 3)


async def test_a_note_is_edited_and_sent_to_the_chat(
    open_practice: OpenPractice, practised: Practised
) -> None:
    page = await open_practice()
    await page.get_by_role("button", name="Edit notes").click()
    note = await page.evaluate("practice.index.notesStarting(2, 2.5).at(-1).note")
    head = await page.evaluate("practice.index.notesStarting(2, 2.5).at(-1).ids[0]")
    await page.locator(f"[id='{head}'] .notehead").click()
    pitch = "note => practice.index.notes.find((one) => one.note === note)?.pitch ?? null"
    assert await page.evaluate(pitch, note) == 71
    for name, after in (("Step up", 72), ("Semitone down", 71), ("Delete", None)):
        await page.get_by_role("button", name=name).click()
        await until(page, f"([note, after]) => ({pitch})(note) === after", [note, after])
    await page.keyboard.press("Control+KeyZ")
    await expect(page.locator(f"[id='{head}']")).to_have_count(1)
    sent = len(practised.house.session.requests)
    await page.get_by_role("banner").get_by_role("button", name="Send to chat").click()
    await expect(page.locator(".message")).to_contain_text("The bot is sending")
    await wait_until(lambda: len(practised.house.session.requests) > sent, limit_s=20)


async def test_a_missing_note_is_added_with_a_finger(open_practice: OpenPractice) -> None:
    """On a phone; all actions on notes are in reach there."""
    page = await open_practice(PHONE)
    await page.get_by_role("button", name="Edit notes").click()
    bar = page.locator(".note-bar")
    for name in (*NOTE_ACTIONS, "Add notes"):
        button = bar.get_by_role("button", name=name, exact=True)
        box = await button.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= PHONE["width"]
        assert box["height"] >= 40
    await expect(bar.get_by_role("textbox", name="Chord symbol")).to_be_visible()
    await bar.get_by_role("button", name="Add notes").click()
    await bar.get_by_role("button", name="Half", exact=True).click()
    # Beat 2 of the lower staff is a rest; its top line is A below middle C.
    lines = page.locator("#bar-1 .staff").nth(1).locator("> path")
    top = await lines.first.bounding_box()
    place = await page.evaluate("""() => {
      const [id] = practice.index.notesStarting(1, 1.5).at(-1).ids;
      const { left, width } = document.querySelector(`#${CSS.escape(id)} .notehead`)
        .getBoundingClientRect();
      return left + width / 2;
    }""")
    assert top is not None
    await page.mouse.click(place, top["y"])
    added = "practice.index.notes.find(({ note }) => note === 'piano+1')"
    await until(page, f"() => {added} !== undefined")
    note = await page.evaluate(added)
    assert (note["start"], note["duration"], note["pitch"]) == (1, 2, 57)
    await expect(page.locator(".selected")).not_to_have_count(0)
    await bar.get_by_role("button", name="Step up").click()
    await until(page, f"() => {added}?.pitch === 59")
    await page.keyboard.press("KeyN")
    await until(page, "() => practice.index.notes.some(({ note }) => note === 'piano+2')")
    for _ in range(3):
        await page.keyboard.press("Control+KeyZ")
    await until(page, f"() => {added} === undefined")


async def test_who_comes_later_is_told(open_practice: OpenPractice, practised: Practised) -> None:
    first = await open_practice()
    second = await first.context.new_page()
    await second.goto(first.url)
    await second.locator("body[data-ready]").wait_for()
    for page, metre in ((first, "3/4"), (second, "2/4")):
        await page.get_by_role("button", name="Correct", exact=True).click()
        await page.get_by_role("radio", name=metre, exact=True).click()
        if page is first:
            await expect(page.locator("g.measure")).to_have_count(BARS * 4 // 3)
    await expect(second.locator(".message")).to_contain_text("Somebody else has changed")
    await expect(second.locator("g.measure")).to_have_count(BARS * 4 // 3)


async def test_a_saved_page_plays_from_a_disk_without_a_network(
    open_practice: OpenPractice, practised: Practised, browser: Browser, tmp_path: Path
) -> None:
    page = await open_practice()
    await turn(page, recording=True, instruments=True)
    await page.get_by_role("button", name="More").click()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save").click()
    path = tmp_path / (await download.value).suggested_filename
    await (await download.value).save_as(path)
    assert path.stat().st_size < 3_000_000
    faults: list[str] = []
    context = await browser.new_context(offline=True)
    try:
        context.on("weberror", lambda fault: faults.append(str(fault.error)))
        saved = await context.new_page()
        await saved.goto(path.as_uri())
        await saved.locator("body[data-ready]").wait_for()
        await turn(saved, recording=True, instruments=True)
        await play(saved)
        await until(saved, "() => practice.player.heardQuarters() > 1")
        await expect(saved.locator(".message.shown")).to_have_count(0)
    finally:
        await context.close()
    assert not faults


async def test_in_telegram_the_page_leads_to_any_browser(
    context: BrowserContext, practised: Practised
) -> None:
    """Telegram's clients save no files; they open the page in a browser, and so does the chat."""
    page = await context.new_page()
    await page.add_init_script(
        """window.posted = [];
        window.TelegramWebviewProxy = { postEvent: (...event) => window.posted.push(event) };"""
    )
    await page.goto(f"{practised.address()}&tgWebAppVersion=8.0")
    await page.get_by_role("button", name="More").click()
    await expect(page.get_by_role("button", name="Save")).to_have_count(0)
    await page.get_by_role("button", name="Open in a browser").click()
    opened = "window.posted.find(([type]) => type === 'web_app_open_link')"
    await until(page, f"() => {opened} !== undefined")
    assert "practice/#link=" in (await page.evaluate(opened))[1]
    sent = len(practised.house.session.requests)
    await page.get_by_role("button", name="Link to the chat").click()
    await expect(page.locator(".message")).to_have_text("The bot has sent the link.")
    assert len(practised.house.session.requests) > sent


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, SIDEWAYS, DESKTOP])
async def test_every_screen_has_room(
    open_practice: OpenPractice, screenshot: Screenshot, viewport: dict[str, int], theme: Any
) -> None:
    page = await open_practice(viewport)
    await page.emulate_media(color_scheme=theme)
    await page.wait_for_timeout(300)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in await page.locator("footer button:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= viewport["width"]
        assert box["height"] >= 40
    await screenshot(page, f"practice-{viewport['width']}-{theme}")


async def test_the_page_follows_the_width(open_practice: OpenPractice) -> None:
    page = await open_practice(PHONE)
    narrow = await page.locator(".page").count()
    await page.set_viewport_size(SIDEWAYS)  # type: ignore[arg-type]
    await until(page, "narrow => document.querySelectorAll('.page').length < narrow", narrow)


async def test_every_control_has_a_name(open_practice: OpenPractice) -> None:
    page = await open_practice()
    for panel in ("Mixer", "Page", "Correct", "More"):
        tab = page.locator("nav").get_by_role("button", name=panel, exact=True)
        if await tab.get_attribute("aria-expanded") != "true":
            await tab.click()
        nameless = await page.evaluate(
            """[...document.querySelectorAll("button, input, select")].filter((control) =>
              !(control.getAttribute("aria-label") || control.textContent.trim())).length"""
        )
        assert nameless == 0


async def test_a_link_that_is_not_valid_is_refused_in_words(
    context: BrowserContext, practised: Practised
) -> None:
    page = await context.new_page()
    await page.goto(f"{practised.house.url}#link=forged")
    await expect(page.get_by_role("alert")).to_have_text(re.compile(r"\w{3,}"))
    other = await context.new_page()
    await other.goto(practised.house.url)
    await expect(other.get_by_role("alert")).to_contain_text("no valid link")
