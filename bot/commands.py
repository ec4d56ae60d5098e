"""The commands that Telegram shows in its menu, in each language."""

from __future__ import annotations

from typing import Final

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import BotCommand, BotCommandScopeChat, BotCommandScopeDefault

from bot.i18n import DEFAULT_LANGUAGE, LANGUAGES, TextCatalogues, Translator

COMMANDS: Final = ("start", "help", "score", "language", "privacy")
ADMIN_COMMANDS: Final = ("models", "use", "status", "stats")

logger = structlog.get_logger(__name__)


async def register_commands(
    bot: Bot, catalogues: TextCatalogues, admin_ids: frozenset[int]
) -> None:
    """Register the commands with Telegram, those of administrators for their own chats only.

    A failure, such as a chat that Telegram does not know yet, is logged: the commands work
    without the menu.
    """
    scopes = [(BotCommandScopeDefault(), COMMANDS)] + [
        (BotCommandScopeChat(chat_id=admin_id), COMMANDS + ADMIN_COMMANDS)
        for admin_id in sorted(admin_ids)
    ]
    for scope, names in scopes:
        for language in LANGUAGES:
            t = Translator(catalogues, language)
            try:
                await bot.set_my_commands(
                    [BotCommand(command=name, description=t(f"command.{name}")) for name in names],
                    scope=scope,
                    language_code=None if language == DEFAULT_LANGUAGE else language,
                )
            except TelegramAPIError as error:
                logger.warning("commands not registered", scope=scope.type, error=error.message)
