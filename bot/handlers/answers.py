"""What the handlers of buttons have in common."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import CallbackQuery, Message

from bot.delivery import Target
from bot.errors import BotError, ServiceErrorCode
from bot.i18n import Translator
from bot.views import error_text

logger = structlog.get_logger(__name__)


def name_buttons(callback: CallbackQuery) -> tuple[str, int, int]:
    """What names the message with the pressed button, whoever pressed it."""
    message = callback.message
    return ("buttons", message.chat.id, message.message_id) if message else ("buttons", 0, 0)


async def tell(
    callback: CallbackQuery,
    target: Target,
    error: BotError,
    request_id: str,
    bot: Bot,
    t: Translator,
) -> None:
    """Say what went wrong; buttons of a result that is gone are taken away."""
    logger.info("render failed", code=error.code)
    await bot.send_message(
        target.chat_id,
        error_text(error, t, request_id),
        message_thread_id=target.thread_id,
        reply_parameters=target.reply_parameters,
    )
    if error.code == ServiceErrorCode.RESULT_EXPIRED:
        await take_buttons_away(callback)


async def take_buttons_away(callback: CallbackQuery) -> None:
    """Leave no button under the message that had the pressed one."""
    if isinstance(callback.message, Message):
        with suppress(TelegramAPIError):
            await callback.message.edit_reply_markup(reply_markup=None)


def ignore(event: Any) -> None:
    """Rendering is over too soon to report on."""
