"""Greeting, help, privacy, language."""

from __future__ import annotations

import pytest
from aiogram.methods import EditMessageText, SendMessage

from tests.bot.conftest import Harness
from tests.bot.telegram import buttons, text_of


@pytest.mark.parametrize(
    ("language", "greeting"),
    [("ru", "Здравствуйте"), ("en", "Hello"), ("de", "Hello"), ("pt-br", "Hello"), (None, "Hello")],
)
async def test_start_speaks_the_persons_language(
    harness: Harness, language: str | None, greeting: str
) -> None:
    await harness.person(language=language).say("/start")

    assert harness.session.texts()[0].startswith(greeting)


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

    assert "and are then deleted" in harness.session.texts()[0]


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
