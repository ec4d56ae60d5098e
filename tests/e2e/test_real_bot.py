"""The whole path: a clip dropped on the chat page comes back from the real service as a score.

The service and the bot run in processes of their own, as an operator starts them: ``notabot serve``
and ``python -m bot`` without a token.
"""

from __future__ import annotations

import asyncio
import io
import re
import shutil
from collections.abc import AsyncIterator

import mido
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Locator, Page, expect

from bot.localchat.images import read_image_info
from inference_service.audio.decode import AudioLimits, decode
from inference_service.midi.preview import SOUNDFONTS
from inference_service.progress import ignore
from tests.conftest import ROOT
from tests.e2e.conftest import PHONE, Screenshot
from tests.e2e.page import drop, messages, say, scores
from tests.e2e.stack import Stack, open_chat
from tests.factories import build_scale, encode_audio, sing

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

# Ode to Joy, first two phrases; public domain.
MELODY = (64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64, 64, 62, 62)
RESULT_MS = 90_000
STAGE_S = 30.0


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One service and one bot for the tests of this file."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        await asyncio.gather(stack.start_service(), stack.start_bot())
        yield stack
    finally:
        await stack.stop()


@pytest.fixture(scope="module")
def melody() -> bytes:
    """Eight seconds of Ode to Joy, sung, in OGG/Opus."""
    return encode_audio(sing(build_scale(MELODY, note_s=0.5)).samples, "ogg-opus")


@pytest.fixture(scope="module")
def long_melody() -> bytes:
    """A minute of the melody, which keeps the service busy for a while."""
    return encode_audio(sing(build_scale(MELODY * 8, note_s=0.5)).samples, "ogg-opus")


async def await_scores(page: Page, count: int, stack: Stack) -> None:
    """Wait until the chat shows ``count`` scores; a failure quotes the log of the service."""
    try:
        await expect(scores(page)).to_have_count(count, timeout=RESULT_MS)
    except AssertionError as error:
        last = await messages(page).last.inner_text()
        raise AssertionError(f"{last}\n{stack.log('service')}") from error


async def ask_status(page: Page) -> str:
    """The bot's answer to an administrator's ``/status``."""
    answers = page.locator("#messages .text", has_text="Queue:")
    count = await answers.count()
    await say(page, "/status")
    await expect(answers).to_have_count(count + 1)
    return await answers.last.inner_text()


async def fetch(page: Page, source: str) -> bytes:
    """Download the target of a link or a picture on the page."""
    response = await page.request.get(source if "://" in source else page.url.rstrip("/") + source)
    assert response.ok
    return await response.body()


async def files_of(album: Locator) -> dict[str, bytes]:
    """The documents of an album by name."""
    links = await album.locator(".file").all()
    found = {}
    for link in links:
        name, source = await link.get_attribute("download"), await link.get_attribute("href")
        assert name
        assert source
        found[name] = await fetch(album.page, source)
    return found


def pitches_of(midi: bytes) -> list[int]:
    """The pitches of a MIDI file in the order of their onsets."""
    notes = []
    for track in mido.MidiFile(file=io.BytesIO(midi)).tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                notes.append((tick, message.note))
    return [pitch for _, pitch in sorted(notes)]


async def test_a_dropped_clip_comes_back_as_score_files_and_caption(
    context: BrowserContext, stack: Stack, melody: bytes, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack)
    await say(page, "/start")
    await expect(messages(page)).to_have_count(2)
    await screenshot(page, "real-1-start")
    await drop(page, "#chat", "Ode to Joy.ogg", "audio/ogg", melody)
    cancel = page.get_by_role("button", name="Cancel")
    await expect(cancel).to_be_visible(timeout=RESULT_MS)
    await screenshot(page, "real-2-status")

    await await_scores(page, 1, stack)
    await expect(page.get_by_role("button", name="Semitone up")).to_be_visible()
    await expect(cancel).to_have_count(0)
    await screenshot(page, "real-3-result")
    await page.set_viewport_size({"width": 1280, "height": 1500})
    await screenshot(page, "real-3-result-tall")
    source = await scores(page).locator("img").first.get_attribute("src")
    assert source
    image = read_image_info(await fetch(page, source))
    assert image
    assert image.width_px <= 1600
    caption = page.locator("#messages .text", has_text="Key:")
    await expect(caption).to_contain_text("C major")
    await expect(caption).to_contain_text("Tempo:")
    await expect(caption).to_contain_text("Ode to Joy")

    await expect(messages(page)).to_have_count(4)  # with the greeting: no files unasked
    await page.get_by_role("button", name="Files").click()
    await expect(page.locator(".file")).to_have_count(4, timeout=RESULT_MS)
    files = await files_of(messages(page).last)
    assert set(files) == {
        "Ode to Joy – full score.pdf",
        "Ode to Joy – full score.mid",
        "Ode to Joy – as played.mid",
        "Ode to Joy – full score.musicxml",
    }
    assert files["Ode to Joy – full score.pdf"].startswith(b"%PDF")
    assert b"<score-partwise" in files["Ode to Joy – full score.musicxml"]
    # The clip has one voice, so the performed and the written pitches are the same.
    assert pitches_of(files["Ode to Joy – as played.mid"]) == list(MELODY)
    await screenshot(page, "real-3-files")


async def test_buttons_show_the_score_another_way(
    context: BrowserContext, stack: Stack, melody: bytes, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack, **PHONE)
    await expect(page.get_by_role("button", name="Piano", exact=True)).to_be_visible()
    before = await scores(page).last.locator("img").first.get_attribute("src")
    await page.get_by_role("button", name="Piano", exact=True).last.click()
    await expect(page.get_by_role("button", name="• Piano")).to_be_visible(timeout=RESULT_MS)
    await expect(scores(page).last.locator("img").first).not_to_have_attribute("src", before or "")
    await screenshot(page, "real-4-piano-phone")
    await page.get_by_role("button", name="Semitone up").last.click()
    caption = page.locator("#messages .text", has_text="Key:").last
    await expect(caption).to_contain_text(re.compile("D♭|C♯"), timeout=RESULT_MS)
    await expect(page.get_by_role("button", name="Original key").last).to_be_visible()
    await expect(scores(page)).to_have_count(1)  # the same message shows all of this
    await screenshot(page, "real-5-transposed-phone")
    await page.get_by_role("button", name="Files").last.click()
    await expect(page.locator(".file")).to_have_count(8, timeout=RESULT_MS)
    [moved] = [
        pitches_of(data)
        for name, data in (await files_of(messages(page).last)).items()
        if re.fullmatch(r"Ode to Joy – piano, (D♭|C♯) major\.mid", name)
    ]
    assert {pitch + 1 for pitch in MELODY} <= set(moved)
    # A lone voice has no chords, so there is no button for them.
    await page.get_by_role("button", name="More").last.click()
    await expect(page.get_by_role("button", name="Continue")).to_be_visible(timeout=RESULT_MS)
    await expect(page.get_by_role("button", name="Chords as text")).to_have_count(0)
    await screenshot(page, "real-5-more-phone")
    await page.get_by_role("button", name="Back").last.click()
    await expect(page.get_by_role("button", name="Files")).to_be_visible(timeout=RESULT_MS)


async def test_a_second_look_and_a_first_listen(
    context: BrowserContext, stack: Stack, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack, **PHONE)
    shown = await scores(page).count()
    await page.get_by_role("button", name="More").last.click()
    await page.get_by_role("button", name="Piano roll").last.click()
    await await_scores(page, shown + 1, stack)
    await expect(scores(page).last).to_contain_text(re.compile("D♭|C♯"))
    source = await scores(page).last.locator("img").first.get_attribute("src")
    image = read_image_info(await fetch(page, source or ""))
    assert image
    assert image.width_px == 1600
    await screenshot(page, "real-6-roll-phone")

    await page.get_by_role("button", name="Back").last.click()
    await page.get_by_role("button", name="Listen").last.click()
    can_play = shutil.which("fluidsynth") and any(path.is_file() for path in SOUNDFONTS)
    if can_play:
        voice = messages(page).filter(has=page.locator(".with-wave"))
        await expect(voice).to_have_count(1, timeout=RESULT_MS)
        await expect(voice).to_contain_text("Piano, ")
        assert await voice.locator(".time").inner_text() not in ("0:00", "")
    else:
        await expect(messages(page).last).to_contain_text("no synthesiser", timeout=RESULT_MS)
    await screenshot(page, "real-6-listen-phone")


async def test_the_music_goes_on(
    context: BrowserContext, stack: Stack, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack, **PHONE)
    shown = await scores(page).count()
    await page.get_by_role("button", name="More").last.click()
    await page.get_by_role("button", name="Continue").last.click()
    await await_scores(page, shown + 1, stack)
    another = page.get_by_role("button", name="Another one")
    await expect(another).to_have_count(1, timeout=RESULT_MS)
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    # The page was transposed, and so is its continuation.
    midi = "Ode to Joy – continuation.mid"

    async def composed() -> list[int]:
        count = await page.locator(".file").count()
        await page.get_by_role("button", name="Files").last.click()
        await expect(page.locator(".file")).to_have_count(count + 3, timeout=RESULT_MS)
        return pitches_of((await files_of(messages(page).last))[midi])

    given = await composed()
    assert 65 in given
    await another.scroll_into_view_if_needed()
    await screenshot(page, "real-7-continuation-phone")

    await page.get_by_role("button", name="Bolder").last.click()
    await await_scores(page, shown + 2, stack)
    await expect(another).to_have_count(2, timeout=RESULT_MS)
    await expect(scores(page).last).to_contain_text("bolder than before")
    assert await composed() != given
    await another.last.scroll_into_view_if_needed()
    await screenshot(page, "real-7-bolder-phone")


async def test_a_song_gives_a_karaoke_track_and_a_voice(
    context: BrowserContext, stack: Stack, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack)
    shown = await scores(page).count()
    song = (ROOT / "docs" / "samples" / "song.ogg").read_bytes()
    await drop(page, "#chat", "Auld Lang Syne.ogg", "audio/ogg", song)
    await await_scores(page, shown + 1, stack)
    await page.get_by_role("button", name="More").last.click()
    await page.get_by_role("button", name="Karaoke and voice").click()
    tracks = messages(page).last.locator(".audio")
    await expect(tracks.locator("b")).to_have_text(
        ["Auld Lang Syne (karaoke)", "Auld Lang Syne (a cappella)"], timeout=RESULT_MS
    )
    await screenshot(page, "real-8-stems")
    for track in await tracks.all():
        source = await track.locator("a.save").get_attribute("href")
        sound = decode(await fetch(page, source or ""), AudioLimits(), ignore)
        assert sound.duration_s == pytest.approx(21, abs=1)
        await track.get_by_role("button", name="Play").click()
        await expect(track.get_by_role("button", name="Pause")).to_be_visible()


async def test_a_first_try_and_hearing_it_as_something_else(
    context: BrowserContext, stack: Stack, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack, **PHONE)
    shown = await scores(page).count()
    await page.get_by_role("button", name="Show me").first.click()
    await await_scores(page, shown + 1, stack)
    await expect(page.get_by_role("button", name="• Lead sheet").last).to_be_visible()
    await page.get_by_role("button", name="Heard as a song. Wrong?").last.click()
    await page.get_by_role("button", name="One voice", exact=True).click()
    await await_scores(page, shown + 2, stack)
    heard = page.get_by_role("button", name="Heard as one voice. Wrong?")
    await expect(heard.last).to_be_visible(timeout=RESULT_MS)
    await expect(page.get_by_role("button", name="One voice", exact=True)).to_have_count(0)
    await heard.last.scroll_into_view_if_needed()
    await screenshot(page, "real-8-heard-again-phone")


async def test_an_administrator_sees_what_others_do_not(
    context: BrowserContext, stack: Stack, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack)
    await say(page, "/models")
    await expect(messages(page).last).to_contain_text("swift-f0")
    await say(page, "/status")
    await expect(messages(page).last).to_contain_text("cpu")
    await screenshot(page, "real-7-admin")
    await page.locator("#settings-button").click()
    await page.get_by_text("User", exact=True).click()
    await page.get_by_text("Русский").click()
    await page.keyboard.press("Escape")
    # To anybody else the command is unknown.
    await say(page, "/models")
    await expect(messages(page)).to_have_count(2)
    await say(page, "/modelz")
    await expect(messages(page)).to_have_count(4)
    answers = [
        await messages(page).nth(index).locator(".text").evaluate("e => e.firstChild.textContent")
        for index in (1, 3)
    ]
    assert answers[0] == answers[1]
    await say(page, "/start")
    await expect(messages(page)).to_have_count(6)
    await screenshot(page, "real-8-russian")


async def test_noise_in_place_of_audio_is_explained(context: BrowserContext, stack: Stack) -> None:
    page = await open_chat(context, stack)
    count = await messages(page).count()
    junk = np.random.default_rng(0).bytes(5000)
    await drop(page, "#chat", "broken.mp3", "audio/mpeg", junk)
    await expect(messages(page)).to_have_count(count + 2)
    await expect(messages(page).last).to_contain_text("cannot be opened", timeout=RESULT_MS)


async def test_cancelling_stops_the_work(
    context: BrowserContext, stack: Stack, long_melody: bytes
) -> None:
    page = await open_chat(context, stack)
    await drop(page, "#chat", "long.ogg", "audio/ogg", long_melody)
    await expect(messages(page).last).to_contain_text("%", timeout=RESULT_MS)
    await page.get_by_role("button", name="Cancel").click()
    await expect(messages(page).last).to_contain_text("Cancelled.")
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    # A cancelled request may finish its current stage, but no more.
    async with asyncio.timeout(STAGE_S):
        while "idle" not in await ask_status(page):
            await page.wait_for_timeout(1000)


async def test_a_killed_service_is_noticed_and_goes_on_with_the_recording(
    context: BrowserContext, stack: Stack, long_melody: bytes, screenshot: Screenshot
) -> None:
    page = await open_chat(context, stack)
    count = await scores(page).count()
    await drop(page, "#chat", "long.ogg", "audio/ogg", long_melody)
    # A percentage is shown only once work has begun.
    await expect(messages(page).last).to_contain_text("%", timeout=RESULT_MS)
    stack.kill_service()
    # Noticed before there is a service again.
    words = "Your recording is safe"
    await expect(messages(page).last).to_contain_text(words, timeout=RESULT_MS)
    await screenshot(page, "real-9-killed")
    # The models do not matter, and the small ones load at once.
    await stack.start_service(NOTABOT_MODELS_PROFILE="tiny")
    await await_scores(page, count + 1, stack)
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=RESULT_MS)
