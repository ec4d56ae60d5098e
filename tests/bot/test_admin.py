"""Administrators switch models; to anyone else none of this exists."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiogram.methods import EditMessageText, SendMessage, SetMyCommands
from aiogram.types import BotCommandScopeChat

from bot.commands import ADMIN_COMMANDS, register_commands
from bot.i18n import TextCatalogues
from tests.bot.conftest import ADMIN_ID, Stage
from tests.bot.service import RefusalError
from tests.bot.telegram import buttons


async def test_models_are_listed_with_buttons(stage: Stage) -> None:
    admin = stage.person(ADMIN_ID)
    await admin.say("/models")

    [listed] = stage.session.sent(SendMessage)
    for part in ["swift-f0 0.3.0", "MIT", "0.658", "active", "not fetched", "84 MB"]:
        assert part in listed.text
    assert buttons(listed) == {
        "piano: transkun": "u:piano:transkun",
        "separation: htdemucs": "u:separation:htdemucs",
    }
    assert stage.service.metadata["authorization"] == "Bearer admin-secret"
    await admin.press("u:piano:transkun")
    assert stage.service.activations == [("piano", "transkun")]
    assert "piano: transkun 2 serves now. Before: old@1." in stage.session.texts()


async def test_use(stage: Stage) -> None:
    admin = stage.person(ADMIN_ID, language="ru")
    await admin.say("/use voice pesto")

    assert stage.service.activations == [("voice", "pesto")]
    assert "теперь работает pesto" in stage.session.sent(EditMessageText)[-1].text
    await admin.say("/use voice")
    assert "/use ЗАДАЧА МОДЕЛЬ" in stage.session.texts()[-1]


async def test_a_refused_model_is_explained(stage: Stage) -> None:
    stage.service.refuse_activation = RefusalError(
        9, "MODEL_NOT_FETCHED", task="separation", model="htdemucs"
    )
    await stage.person(ADMIN_ID).say("/use separation htdemucs")

    assert "notabot models fetch htdemucs" in stage.session.sent(EditMessageText)[-1].text


async def test_status_and_stats(stage: Stage) -> None:
    admin = stage.person(ADMIN_ID)
    await admin.say_voice()
    await admin.say("/status")
    status = stage.session.texts()[-1]
    for part in ["0.1.0", "idle", "0 of 8", "cpu", "900 MB", "2 hours", "torch: 2.13.0"]:
        assert part in status
    await admin.say("/stats")
    stats = stage.session.texts()[-1]
    for part in ["Completed: 12", "Failed: 3", "Running now: 0", "done: 1"]:
        assert part in stats


@pytest.mark.parametrize("command", [f"/{name} piano transkun" for name in ADMIN_COMMANDS])
@pytest.mark.parametrize("language", ["ru", "en"])
async def test_a_stranger_cannot_tell_an_admin_command_from_an_unknown_one(
    stage: Stage, command: str, language: str
) -> None:
    stranger = stage.person(language=language)
    await stranger.say(command)
    await stranger.say("/xyzzy piano transkun")

    secret, unknown = (
        stage.session.form(stage.bot, method) for _, method in stage.session.requests
    )
    assert secret == unknown
    assert stage.service.calls == 0


async def test_a_stranger_cannot_use_an_admin_button(stage: Stage) -> None:
    await stage.person().press("u:piano:transkun")
    await stage.person().press("no:such:button")

    first, second = (method for _, method in stage.session.requests)
    without_id = {"callback_query_id"}
    assert first.model_dump(exclude=without_id) == second.model_dump(exclude=without_id)
    assert not stage.service.activations


async def test_in_a_group_an_admin_is_anyone(stage: Stage) -> None:
    await stage.person(ADMIN_ID, chat_id=-5).say("/models")

    assert stage.session.requests == []


async def test_the_menu_shows_admin_commands_to_admins_only(
    stage: Stage, catalogues: TextCatalogues
) -> None:
    await register_commands(stage.bot, catalogues, frozenset({ADMIN_ID}))

    for request in stage.session.sent(SetMyCommands):
        names = {command.command for command in request.commands}
        private = isinstance(request.scope, BotCommandScopeChat)
        assert names.issuperset(ADMIN_COMMANDS) is private
        assert names.isdisjoint(ADMIN_COMMANDS) is not private
    assert len(stage.session.sent(SetMyCommands)) == 4


async def test_without_a_service_admins_are_told(build_stage: Callable[..., Stage]) -> None:
    stage = build_stage(address="127.0.0.1:1")
    await stage.person(ADMIN_ID).say("/status")

    assert "does not answer" in stage.session.texts()[-1]
