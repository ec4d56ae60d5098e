"""What surrounds every update: a request id, the person's language, their share of the work."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, Message, TelegramObject, Update, User
from aiogram.utils.i18n import SimpleI18nMiddleware

from bot.errors import BotError, BotErrorCode
from bot.i18n import LANGUAGES, TextCatalogues, Translator
from bot.jobs import Jobs, RunningUpdates
from bot.languages import LanguageStore
from bot.views import error_text

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]

logger = structlog.get_logger(__name__)


class RequestContext(BaseMiddleware):
    """Gives each update a request id, logs how it went, and lets a shutdown wait for it.

    The id is in every log line, goes to the service with every call, and names the job that a
    cancel button stops.
    """

    def __init__(self, running: RunningUpdates) -> None:
        self._running = running

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Handle ``event`` under a new id."""
        request_id = data["request_id"] = uuid.uuid4().hex[:16]
        kind = event.event_type if isinstance(event, Update) else type(event).__name__
        started_s = time.monotonic()
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            self._running.track(),
        ):
            try:
                return await handler(event, data)
            finally:
                logger.info("update", kind=kind, seconds=round(time.monotonic() - started_s, 3))


class Language(SimpleI18nMiddleware):
    """Finds the person's language: the chosen one, else Telegram's; handlers get it as ``t``."""

    def __init__(self, catalogues: TextCatalogues, languages: LanguageStore) -> None:
        super().__init__(catalogues)
        self._catalogues = catalogues
        self._languages = languages

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Handle ``event`` with ``t``, a :class:`Translator`, among its data."""
        language = await self.get_locale(event, data)
        data["t"] = Translator(self._catalogues, language)
        return await super().__call__(handler, event, data)

    async def get_locale(self, event: TelegramObject, data: dict[str, Any]) -> str:
        """The language to answer in."""
        user: User | None = data.get("event_from_user")
        chosen = self._languages.get(user.id) if user is not None else None
        return chosen if chosen in LANGUAGES else await super().get_locale(event, data)


class InFlightCap(BaseMiddleware):
    """Lets a person have so many requests at once and tells them when it is too many.

    Counts the handlers with the flag ``job`` that run now; an inner middleware, since flags are
    known only once a handler is found.
    """

    def __init__(self, jobs: Jobs, limit: int) -> None:
        self._jobs = jobs
        self._limit = limit

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Handle ``event``, or say why not."""
        user: User | None = data.get("event_from_user")
        if user is None or not get_flag(data, "job"):
            return await handler(event, data)
        with self._jobs.slot(user.id, self._limit) as admitted:
            if admitted:
                return await handler(event, data)
        text = error_text(BotError(BotErrorCode.TOO_MANY_JOBS), data["t"])
        if isinstance(event, CallbackQuery):
            return await event.answer(text, show_alert=True)
        return await event.reply(text) if isinstance(event, Message) else None
