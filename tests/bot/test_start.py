"""Greeting, help, privacy, language."""

from __future__ import annotations

import dataclasses
import re

import pytest
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import EditMessageText, SendAudio, SendMessage, SendPhoto
from notabot.v1 import transcription_pb2 as pb

from bot.client.types import Preset
from bot.commands import COMMANDS
from bot.i18n import Translator
from bot.views import MAX_MESSAGE_CHARS
from tests.bot.conftest import Harness
from tests.bot.telegram import buttons, file_of, replied_to, text_of
from tests.bot.test_keyboards import every_button
from tests.bot.test_views import RESULT
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("language", "greeting"),
    [("ru", "Здравствуйте"), ("en", "Hello"), ("de", "Hello"), ("pt-br", "Hello"), (None, "Hello")],
)
async def test_start_speaks_the_persons_language(
    harness: Harness, language: str | None, greeting: str
) -> None:
    await harness.person(language=language).say("/start")

    assert harness.session.texts()[0].startswith(greeting)


async def test_a_first_try_needs_no_recording(harness: Harness) -> None:
    person = harness.person()
    await person.say("/start")
    [greeting] = harness.session.sent(SendMessage)
    [[label, data]] = buttons(greeting).items()
    assert "song" in label
    await person.press(data)

    [sample] = harness.session.sent(SendAudio)
    assert sample.title == "Auld Lang Syne"
    assert file_of(sample.audio).data == (ROOT / "docs" / "samples" / "song.ogg").read_bytes()
    [(options, _)] = harness.service.transcriptions
    assert options.render.title == "Auld Lang Syne"
    assert options.preset == pb.PRESET_SONG
    [page] = harness.session.sent(SendPhoto)
    assert replied_to(page) == 1002, "the page replies to the sample"
    assert "Files" in buttons(page)


async def test_a_sample_that_telegram_does_not_take_is_reported(harness: Harness) -> None:
    refused = TelegramBadRequest(SendMessage(chat_id=7, text="x"), "Bad Request: no")
    harness.session.failures[SendAudio].append(refused)
    await harness.person().press("a")
    assert "Telegram did not take it" in harness.session.texts()[-1]
    assert not harness.service.transcriptions


async def test_help_names_every_button(harness: Harness, t: Translator) -> None:
    await harness.person(language=t.language).say("/help")
    [text] = harness.session.texts()
    assert len(re.sub(r"<[^>]+>", "", text)) <= MAX_MESSAGE_CHARS
    song = dataclasses.replace(RESULT, preset=Preset.SONG, sung_differs=True)
    labels = [button.text for button in every_button(song, t)]
    named = [b for b in labels if b[0] not in "↓↑‹" and b[-1] not in "?…"]
    assert len(named) >= 12
    for label in [*named, t("button.heard.piano")]:
        assert label.strip("•♪✎▶ ") in text, label
    for command in COMMANDS:
        assert f"/{command}" in text or command == "help"


async def test_help_names_the_limits(harness: Harness) -> None:
    await harness.person().say("/help")
    await harness.person(language="ru").say("/help")

    english, russian = harness.session.texts()
    assert "15 minutes" in english
    assert "20 MB" in english
    assert "15 минут" in russian
    assert "20 МБ" in russian


async def test_privacy(harness: Harness) -> None:
    await harness.person().say("/privacy")

    assert "as long as their score" in harness.session.texts()[0]


async def test_a_chosen_language_stays_over_a_restart(harness: Harness) -> None:
    person = harness.person(language="en")
    await person.say("/language")
    choice = buttons(harness.session.sent(SendMessage)[-1])
    await person.press(choice["Русский"])
    assert text_of(harness.session.sent(EditMessageText)[-1]).startswith("Здравствуйте")

    again = harness.restarted()
    await again.person(language="en").say("/start")
    await again.person(8, language="en").say("/start")
    assert again.session.texts()[0].startswith("Здравствуйте")
    assert again.session.texts()[1].startswith("Hello"), "only the one who chose"

    await again.person(language="en").press(choice["As in Telegram"])
    await again.person(language="en").say("/start")
    assert again.session.texts()[-1].startswith("Hello")
