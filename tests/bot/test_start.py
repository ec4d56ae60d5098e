"""Greeting, help, privacy, language."""

from __future__ import annotations

import pytest
from aiogram.methods import EditMessageText, SendMessage

from tests.bot.conftest import Stage
from tests.bot.telegram import buttons


@pytest.mark.parametrize(
    ("language", "greeting"),
    [("ru", "Здравствуйте"), ("en", "Hello"), ("de", "Hello"), ("pt-br", "Hello"), (None, "Hello")],
)
async def test_start_speaks_the_persons_language(
    stage: Stage, language: str | None, greeting: str
) -> None:
    await stage.person(language=language).say("/start")

    assert stage.session.texts()[0].startswith(greeting)


async def test_help_names_the_limits(stage: Stage) -> None:
    await stage.person().say("/help")
    await stage.person(language="ru").say("/help")

    english, russian = stage.session.texts()
    assert "15 minutes" in english
    assert "20 MB" in english
    assert "15 минут" in russian
    assert "20 МБ" in russian


async def test_privacy(stage: Stage) -> None:
    await stage.person().say("/privacy")

    assert "not stored" in stage.session.texts()[0]


async def test_a_chosen_language_stays_over_a_restart(stage: Stage) -> None:
    person = stage.person(language="en")
    await person.say("/language")
    choice = buttons(stage.session.sent(SendMessage)[-1])
    await person.press(choice["Русский"])
    assert stage.session.sent(EditMessageText)[-1].text.startswith("Здравствуйте")

    again = stage.restarted()
    await again.person(language="en").say("/start")
    await again.person(8, language="en").say("/start")
    assert again.session.texts()[0].startswith("Здравствуйте")
    assert again.session.texts()[1].startswith("Hello"), "only the one who chose"

    await again.person(language="en").press(choice["As in Telegram"])
    await again.person(language="en").say("/start")
    assert again.session.texts()[-1].startswith("Hello")
