"""Exceptions that no handler caught."""

from __future__ import annotations

from contextlib import suppress

import structlog
from aiogram import Router
from aiogram.exceptions import TelegramAPIError, TelegramForbiddenError
from aiogram.types import ErrorEvent

from bot.coordination import CoordinationAwayError
from bot.errors import BotError, ServiceErrorCode
from bot.frames import forget_frames
from bot.i18n import Translator
from bot.views import error_text

logger = structlog.get_logger(__name__)


async def on_error(event: ErrorEvent, request_id: str, t: Translator) -> None:
    """Log the exception, and send the request id to quote to the administrator."""
    if isinstance(event.exception, TelegramForbiddenError):
        logger.info("the person has blocked the bot")
        forget_frames(event.exception)
        return
    if isinstance(event.exception, CoordinationAwayError):
        error: BotError = event.exception
    else:
        logger.error("unhandled", exc_info=event.exception)
        error = BotError(ServiceErrorCode.INTERNAL)
    forget_frames(event.exception)
    text = error_text(error, t, request_id)
    with suppress(TelegramAPIError):
        if event.update.callback_query is not None:
            await event.update.callback_query.answer(text[:200], show_alert=True)
        elif event.update.message is not None:
            await event.update.message.answer(text)


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="errors")
    router.error.register(on_error)
    return router
