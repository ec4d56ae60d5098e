"""The chat page in a real Chromium, with the scripted bot behind it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, FilePayload, Route, expect

from bot.localchat.server import LocalChat, serve_localchat
from tests.e2e.conftest import PHONE, OpenPage, Screenshot
from tests.e2e.page import attach, drop, messages, say
from tests.e2e.scripted_bot import HOSTILE, build_png, go_on, run_scripted_bot
from tests.factories import build_tone, encode_audio

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def sound() -> bytes:
    """Two seconds of a tone in OGG/Opus."""
    return encode_audio(build_tone(440.0, 2.0), "ogg-opus")


async def test_the_empty_chat_says_what_the_bot_can_do(open_page: OpenPage) -> None:
    page = await open_page()
    await expect(page.locator("#bot-name")).to_have_text("Notabot")
    await expect(page.locator("#description")).to_have_text("Sends what it is asked for.")
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(messages(page)).to_have_count(2)
    await expect(page.locator("#welcome")).to_be_hidden()


async def test_text_and_formatting(open_page: OpenPage, screenshot: Screenshot) -> None:
    page = await open_page()
    await say(page, "/start")
    answer = messages(page).last.locator(".text")
    await expect(answer.locator("b")).to_have_text("Bold")
    await expect(answer.locator("i")).to_have_text("italic")
    await expect(answer.locator("code")).to_have_text("code")
    await expect(answer.locator("blockquote")).to_have_text("quoted")
    await expect(answer.locator("pre")).to_contain_text("C   | F   | G7  | C")
    await expect(answer.locator("a")).to_have_attribute("href", "https://example.org/")
    await screenshot(page, "formatting")
    await answer.get_by_role("button", name="/album").click()
    await expect(messages(page)).to_have_count(5)


async def test_keyboard_alone_is_enough(open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator("#text").focus()
    await page.keyboard.type("one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    await expect(messages(page).first.locator(".text")).to_contain_text("one\ntwo")
    await expect(messages(page)).to_have_count(2)
    await page.keyboard.type("/")
    menu = page.get_by_role("listbox")
    await expect(menu.get_by_role("option")).to_have_count(3)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(menu.get_by_role("option", selected=True)).to_contain_text("/album")
    await page.keyboard.press("Enter")
    await expect(messages(page)).to_have_count(5)
    await expect(menu).to_be_hidden()
    await page.keyboard.type("/mo")
    await page.keyboard.press("Tab")
    await expect(page.locator("#text")).to_have_value("/models ")


async def test_the_field_is_as_high_as_its_text(open_page: OpenPage) -> None:
    """A scroll bar would cover the placeholder."""
    page = await open_page(**PHONE)
    field = page.locator("#text")
    for text in ("", "one", "one\ntwo\nthree"):
        await field.fill(text)
        assert await field.evaluate("field => field.scrollHeight <= field.clientHeight"), text


async def test_the_command_menu_follows_person_and_language(open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator("#commands-button").click()
    options = page.get_by_role("option")
    await expect(options.nth(2)).to_contain_text("/models")
    await page.locator("#settings-button").click()
    await page.get_by_text("User", exact=True).click()
    await page.get_by_text("Русский").click()
    await page.keyboard.press("Escape")
    await expect(page.locator("#who-label")).to_have_text("Пользователь")
    await page.locator("#commands-button").click()
    await expect(options).to_have_text(["/startНачать", "/albumСтраницы"])
    await say(page, "/who")
    await expect(messages(page).last).to_contain_text("user 2, ru")
    await page.reload()
    await expect(page.locator("#who-label")).to_have_text("Пользователь")
    await expect(page.locator("#text")).to_have_attribute("placeholder", "Сообщение")
    assert await page.locator("html").get_attribute("lang") == "ru"


async def test_the_two_people_have_two_chats(open_page: OpenPage) -> None:
    page = await open_page()
    await say(page, "/who")
    await expect(messages(page).last).to_contain_text("user 1, en")
    await page.locator("#settings-button").click()
    await page.get_by_text("User", exact=True).click()
    await expect(messages(page)).to_have_count(0)
    await page.get_by_text("Administrator", exact=True).last.click()
    await expect(messages(page)).to_have_count(2)


@pytest.mark.parametrize("zone", ["#chat", ".drop [data-kind=auto]", ".drop [data-kind=document]"])
async def test_a_dropped_clip_arrives_whole(open_page: OpenPage, sound: bytes, zone: str) -> None:
    page = await open_page()
    await drop(page, zone, "melody.ogg", "audio/ogg", sound)
    answer = messages(page).last
    kind = "document" if "document" in zone else "audio"
    seconds = "None" if kind == "document" else "2"
    digest = hashlib.sha256(sound).hexdigest()[:12]
    await expect(answer).to_contain_text(f"{len(sound)} bytes, {seconds} s, {digest}")
    await expect(answer.locator(".quote")).to_contain_text("melody.ogg")
    await expect(page.locator("#drop")).to_be_hidden()
    await expect(page.locator(".pending")).to_have_count(0)


async def test_the_file_input_alone_is_enough(open_page: OpenPage, sound: bytes) -> None:
    page = await open_page()
    await page.locator("#text").fill("as a duet")
    file: FilePayload = {"name": "Nina - Song.mp3", "mimeType": "audio/mpeg", "buffer": sound}
    await page.locator("#file-input").set_input_files(file)
    await expect(messages(page).last).to_contain_text("“as a duet”")
    await expect(messages(page).first.locator(".audio b")).to_have_text("Nina – Song")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("auto", "AUDIO"), ("document", "DOCUMENT"), ("voice", "VOICE"), ("video_note", "VIDEO_NOTE")],
)
async def test_a_file_goes_as_what_the_person_chose(
    open_page: OpenPage, sound: bytes, kind: str, expected: str
) -> None:
    page = await open_page()
    await attach(page, kind, "a.ogg", "audio/ogg", sound)
    await expect(messages(page).last).to_contain_text(f"{expected} of")


async def test_pictures_and_other_files(open_page: OpenPage) -> None:
    page = await open_page()
    await drop(page, "#chat", "page.png", "image/png", build_png(50, 40))
    await expect(messages(page).last).to_contain_text("PHOTO")
    await drop(page, "#chat", "notes.txt", "text/plain", b"words")
    await expect(messages(page).last).to_contain_text("DOCUMENT")


async def test_a_voice_message_is_recorded_and_heard(
    open_page: OpenPage, screenshot: Screenshot
) -> None:
    page = await open_page()
    await page.locator("#record-button").click()
    await expect(page.locator("#record-time")).to_have_text("0:01")
    await screenshot(page, "recording")
    await page.locator("#record-send").click()
    await expect(messages(page).last).to_contain_text("VOICE")
    player = messages(page).first.locator(".player")
    await player.get_by_role("button").click()
    await expect(player.locator(".wave i.played").first).to_be_attached()
    assert (
        max(await player.locator(".wave i").evaluate_all("bars => bars.map(b => b.offsetHeight)"))
        > 20
    )
    await page.locator("#record-button").click()
    await page.locator("#record-cancel").click()
    await expect(page.locator("#composer")).to_be_visible()
    await expect(messages(page)).to_have_count(2)


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
async def test_an_album_and_its_viewer(
    open_page: OpenPage, screenshot: Screenshot, viewport: dict[str, int] | None
) -> None:
    page = await open_page(**(viewport or {}))
    await say(page, "/album")
    album, files = messages(page).nth(1), messages(page).nth(2)
    await expect(album.locator(".photo")).to_have_count(3)
    await expect(album.locator(".text")).to_contain_text("Three pages")
    await expect(files.locator(".file b")).to_contain_text(
        ["PDF", "score.pdf", "MIDI", "нота.mid", "XML", "score.musicxml"]
    )
    async with page.expect_download() as download:
        await files.locator(".file").nth(1).click()
    assert (await download.value).suggested_filename == "нота.mid"
    await screenshot(page, f"album-{'phone' if viewport else 'desktop'}")
    width_px = await page.evaluate("document.documentElement.scrollWidth")
    assert width_px <= await page.evaluate("innerWidth")
    await album.locator(".photo").nth(1).click()
    viewer = page.locator("#viewer")
    await expect(viewer.locator("#viewer-count")).to_have_text("Page 2 of 3")
    await page.keyboard.press("ArrowRight")
    await expect(viewer.locator("#viewer-count")).to_have_text("Page 3 of 3")
    await expect(viewer.locator("#viewer-next")).to_be_hidden()
    fitted = await viewer.locator("img").bounding_box()
    await page.keyboard.press("Enter")
    zoomed = await viewer.locator("img").bounding_box()
    assert fitted
    assert zoomed
    assert zoomed["width"] > fitted["width"]
    await page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
async def test_an_album_of_music_is_heard_and_saved(
    open_page: OpenPage, screenshot: Screenshot, viewport: dict[str, int] | None
) -> None:
    page = await open_page(**(viewport or {}))
    await say(page, "/tracks")
    album = messages(page).nth(1)
    tracks = album.locator(".audio")
    await expect(tracks.locator("b")).to_have_text(["Песня (karaoke)", "Песня (a cappella)"])
    await expect(tracks.locator(".time")).to_have_text(["0:02", "0:02"])
    for place in (0, 1):  # a sound stops when another begins
        await tracks.nth(place).get_by_role("button", name="Play").click()
        await expect(tracks.nth(place).get_by_role("button", name="Pause")).to_be_visible()
        await expect(album.get_by_role("button", name="Pause")).to_have_count(1)
    await screenshot(page, f"tracks-{'phone' if viewport else 'desktop'}")
    async with page.expect_download() as download:
        await album.get_by_role("link", name="Download: Песня (karaoke).wav").click()
    assert (await download.value).suggested_filename == "Песня (karaoke).wav"
    width_px = await page.evaluate("document.documentElement.scrollWidth")
    assert width_px <= await page.evaluate("innerWidth")


async def test_buttons_answer_with_toasts_alerts_and_edits(open_page: OpenPage) -> None:
    page = await open_page()
    await say(page, "/start")
    await page.get_by_role("button", name="Toast").click()
    await expect(page.locator(".toast")).to_have_text("a toast")
    await page.get_by_role("button", name="Alert").click()
    await expect(page.get_by_role("dialog")).to_contain_text("an alert")
    await page.get_by_role("button", name="OK").click()
    slow = page.get_by_role("button", name="Slow")
    await slow.click()
    await expect(slow).to_have_attribute("aria-busy", "true")
    go_on.set()
    await expect(page.locator(".toast").last).to_have_text("at last")
    await expect(slow).not_to_have_attribute("aria-busy", "true")
    await page.get_by_role("button", name="Edit").click()
    await expect(messages(page).last.locator(".text")).to_contain_text("edited")
    await expect(messages(page).last.locator(".key")).to_have_count(1)


async def test_an_answer_that_overtakes_its_press_frees_the_button(open_page: OpenPage) -> None:
    page = await open_page()
    await say(page, "/start")

    async def delay(route: Route) -> None:
        reply = await route.fetch()
        await expect(page.locator(".toast")).to_have_text("a toast")
        await route.fulfill(response=reply)

    await page.route("**/api/press", delay)
    button = page.get_by_role("button", name="Toast")
    await button.click()
    await expect(page.locator(".toast")).to_have_text("a toast")
    await expect(button).not_to_have_attribute("aria-busy", "true")


async def test_a_keyboard_can_be_taken_away(open_page: OpenPage) -> None:
    page = await open_page()
    await say(page, "/start")
    await page.get_by_role("button", name="Drop keys").click()
    await expect(messages(page).last.locator(".key")).to_have_count(0)


async def test_edits_deletions_and_reactions_show_at_once(open_page: OpenPage) -> None:
    page = await open_page()
    await say(page, "/progress")
    await expect(messages(page).last.locator(".text")).to_contain_text("100 %")
    await expect(messages(page)).to_have_count(2)
    await say(page, "/vanish")
    await expect(messages(page)).to_have_count(4)
    go_on.set()
    await expect(messages(page)).to_have_count(3)
    await expect(messages(page).last.locator(".reaction")).to_have_text("👌")


async def test_reply_and_forward(open_page: OpenPage, sound: bytes) -> None:
    page = await open_page()
    await drop(page, "#chat", "melody.ogg", "audio/ogg", sound)
    await expect(messages(page)).to_have_count(2)
    first = messages(page).first
    await first.hover()
    await first.get_by_role("button", name="Message actions").click()
    await page.get_by_role("menuitem", name="Reply").click()
    await expect(page.locator("#reply-text")).to_have_text("melody.ogg")
    await say(page, "/score")
    await expect(messages(page).last).to_contain_text("asked about AUDIO")
    await expect(page.locator("#reply-bar")).to_be_hidden()
    await first.get_by_role("button", name="Message actions").click()
    await page.get_by_role("menuitem", name="Forward").click()
    await expect(messages(page).last).to_contain_text("forwarded of")
    await expect(messages(page).nth(4).locator(".origin")).to_have_text("Forwarded from Clara")


async def test_nothing_that_is_sent_can_act_as_markup(open_page: OpenPage) -> None:
    page = await open_page()
    await say(page, HOSTILE)
    await expect(messages(page).last).to_contain_text(HOSTILE)
    await say(page, "/hostile")
    await expect(page.locator(".file-text b")).to_have_text("<b>page</b>.html")
    await expect(messages(page).last).to_contain_text("press me")
    await drop(page, "#chat", "<img src=x>.ogg", "audio/ogg", b"x")
    await expect(messages(page).last).to_contain_text("bytes")
    assert await page.title() == "Notabot"
    assert await page.locator("#messages img, #messages script, #messages b b").count() == 0
    assert await page.locator("#messages a[href^=javascript]").count() == 0


async def test_a_file_beyond_the_limit_is_refused_before_it_is_sent(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = await open_page()
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    await page.locator("#file-input").set_input_files(large)
    await expect(page.locator(".toast")).to_contain_text("large.wav is too large")
    await expect(messages(page)).to_have_count(0)


async def test_the_page_stays_at_the_newest_message(open_page: OpenPage) -> None:
    page = await open_page(**PHONE)
    for _ in range(3):
        await say(page, "/album")
    await expect(messages(page)).to_have_count(9)
    newest = messages(page).last.locator("time")
    await expect(newest).to_be_in_viewport()
    await page.evaluate("chat.scrollTo(0, 0)")
    await expect(newest).not_to_be_in_viewport()
    await page.locator("#to-bottom").click()
    await expect(newest).to_be_in_viewport()
    await expect(page.locator("#to-bottom")).to_be_hidden()


async def test_dark_theme(open_page: OpenPage, screenshot: Screenshot) -> None:
    page = await open_page()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.locator("#settings-button").click()
    await page.get_by_text("Dark", exact=True).click()
    await screenshot(page, "settings")
    assert await page.evaluate(ground) != light
    await page.reload()
    await page.locator("body[data-ready]").wait_for()
    assert await page.evaluate(ground) != light


async def test_the_page_comes_back_with_the_server(context: BrowserContext) -> None:
    page = await context.new_page()
    async with serve_localchat(port=0) as first:
        port = int(first.api_base_url.rsplit(":", 1)[1])
        await page.goto(first.page_url)
        await page.locator("body[data-ready]").wait_for()
        await say(page, "nobody hears this")
        await expect(messages(page)).to_have_count(1)
    await expect(page.locator("#banner")).to_have_text("No connection. Trying again…")
    async with serve_localchat(port=port) as second, run_scripted_bot(second):
        await expect(page.locator("#banner")).to_be_hidden()
        await expect(messages(page)).to_have_count(0)
        await say(page, "hello again")
        await expect(messages(page).last).to_contain_text("you said: hello again")


async def test_every_control_has_a_name(open_page: OpenPage, chat: LocalChat) -> None:
    page = await open_page()
    await say(page, "/album")
    await expect(messages(page)).to_have_count(3)
    nameless = await page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, textarea, img")]
          .filter((e) => !(e.innerText || e.getAttribute("aria-label") || e.alt || e.title
            || e.labels?.length || e.textContent.trim() || e.id === "viewer-image"))
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []
