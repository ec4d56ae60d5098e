"""Administrators switch models; to anyone else none of this exists."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from aiogram.methods import EditMessageText, SendMessage, SetMyCommands
from aiogram.types import BotCommandScopeChat

from bot.commands import ADMIN_COMMANDS, register_commands
from bot.i18n import TextCatalogues
from tests.bot.conftest import ADMIN_ID, Harness
from tests.bot.service import RefusalError
from tests.bot.telegram import buttons, text_of


async def test_models_are_listed_a_short_line_each_with_buttons(harness: Harness) -> None:
    admin = harness.person(ADMIN_ID)
    await admin.say("/models")

    [listed] = harness.session.sent(SendMessage)
    plain = re.sub(r"<[^>]+>", "", listed.text)
    assert "● swift-f0 0.3.0" in plain.splitlines()
    assert plain.endswith("● active · ○ available · ◌ not fetched")
    assert max(map(len, plain.splitlines()[:-1])) <= 34, "a phone shows a line on a line"
    assert "0.658" not in plain
    assert buttons(listed) == {
        "Licences, sizes, figures": "m",
        "piano: transkun": "u:piano:transkun",
        "separation: htdemucs": "u:separation:htdemucs",
    }
    assert harness.service.metadata["authorization"] == "Bearer admin-secret"
    await admin.press("u:piano:transkun")
    assert harness.service.activations == [("piano", "transkun")]
    assert "piano: transkun 2 is in use now, instead of old@1." in harness.session.texts()


async def test_figures_of_models_are_a_press_away(harness: Harness) -> None:
    await harness.person(ADMIN_ID).press("m")
    text = harness.session.texts()[-1]
    for part in ["swift-f0 0.3.0", "active, MIT", "voice_dev onset+pitch F1: 0.658", "84 MB"]:
        assert part in text
    await harness.person(5).press("m")
    assert harness.session.texts()[-1] == "This button no longer works."


async def test_use(harness: Harness) -> None:
    admin = harness.person(ADMIN_ID, language="ru")
    await admin.say("/use voice pesto")

    assert harness.service.activations == [("voice", "pesto")]
    assert "теперь работает pesto" in text_of(harness.session.sent(EditMessageText)[-1])
    await admin.say("/use voice")
    assert "/use ЗАДАЧА МОДЕЛЬ" in harness.session.texts()[-1]


async def test_a_refused_model_is_explained(harness: Harness) -> None:
    harness.service.refuse_activation = RefusalError(
        9, "MODEL_NOT_FETCHED", task="separation", model="htdemucs"
    )
    await harness.person(ADMIN_ID).say("/use separation htdemucs")

    assert "notabot models fetch htdemucs" in text_of(harness.session.sent(EditMessageText)[-1])


async def test_status_and_stats(harness: Harness) -> None:
    admin = harness.person(ADMIN_ID)
    await admin.say_voice()
    await admin.say("/status")
    status = harness.session.texts()[-1]
    for part in ["0.1.0", "idle", "0 of 8", "cpu", "900 MB", "2 hours", "torch: 2.13.0"]:
        assert part in status
    await admin.say("/stats")
    stats = harness.session.texts()[-1]
    for part in ["Completed: 12", "Failed: 3", "Running now: 0", "done: 1"]:
        assert part in stats


@pytest.mark.parametrize("command", [f"/{name} piano transkun" for name in ADMIN_COMMANDS])
@pytest.mark.parametrize("language", ["ru", "en"])
async def test_a_stranger_cannot_tell_an_admin_command_from_an_unknown_one(
    harness: Harness, command: str, language: str
) -> None:
    stranger = harness.person(language=language)
    await stranger.say(command)
    await stranger.say("/xyzzy piano transkun")

    secret, unknown = (
        harness.session.form(harness.bot, method) for _, method in harness.session.requests
    )
    assert secret == unknown
    assert harness.service.calls == 0


async def test_a_stranger_cannot_use_an_admin_button(harness: Harness) -> None:
    await harness.person().press("u:piano:transkun")
    await harness.person().press("no:such:button")

    first, second = (method for _, method in harness.session.requests)
    without_id = {"callback_query_id"}
    assert first.model_dump(exclude=without_id) == second.model_dump(exclude=without_id)
    assert not harness.service.activations


async def test_in_a_group_an_admin_is_anyone(harness: Harness) -> None:
    await harness.person(ADMIN_ID, chat_id=-5).say("/models")

    assert harness.session.requests == []


async def test_the_menu_shows_admin_commands_to_admins_only(
    harness: Harness, catalogues: TextCatalogues
) -> None:
    await register_commands(harness.bot, catalogues, frozenset({ADMIN_ID}))

    for request in harness.session.sent(SetMyCommands):
        names = {command.command for command in request.commands}
        private = isinstance(request.scope, BotCommandScopeChat)
        assert names.issuperset(ADMIN_COMMANDS) is private
        assert names.isdisjoint(ADMIN_COMMANDS) is not private
    assert len(harness.session.sent(SetMyCommands)) == 4


async def test_without_a_service_admins_get_a_message(
    build_harness: Callable[..., Harness],
) -> None:
    harness = build_harness(address="127.0.0.1:1")
    await harness.person(ADMIN_ID).say("/status")

    assert "is not answering" in harness.session.texts()[-1]
