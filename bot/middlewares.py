"""Middlewares: request ids, languages, request objects, and the limit of jobs per person."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, Message, TelegramObject, Update, User

from bot.errors import BotError, BotErrorCode
from bot.intake import Intake
from bot.jobs import Jobs, RunningUpdates
from bot.languages import Languages
from bot.practice.invitation import Invitations
from bot.request import Destination, Press, Request
from bot.views import error_text

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]

logger = structlog.get_logger(__name__)


class RequestContext(BaseMiddleware):
    """Gives each update a request id, logs its duration, and lets a shutdown wait for it.

    The id is in every log line and is sent to the service with every call. An update that arrives a
    second time is dropped. A message is confirmed to Telegram when its handler says so or ends;
    a press at once, since it can be repeated.
    """

    def __init__(self, running: RunningUpdates, intake: Intake) -> None:
        self._running = running
        self._intake = intake

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Handle ``event`` under a new id."""
        assert isinstance(event, Update)
        chat_id = None if event.message is None else event.message.chat.id
        if not await self._intake.begin(event.update_id, chat_id):
            logger.info("update dropped", reason="it arrived before")
            return None
        data["settle"] = partial(self._intake.settle, event.update_id)
        if event.callback_query is not None:
            data["settle"]()
        try:
            return await self._handle(handler, event, data)
        finally:
            await self._intake.end(event.update_id)

    async def _handle(self, handler: Handler, event: Update, data: dict[str, Any]) -> Any:
        request_id = data["request_id"] = uuid.uuid4().hex[:16]
        started_s = time.monotonic()
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            self._running.track(),
        ):
            try:
                return await handler(event, data)
            finally:
                logger.info(
                    "update", kind=event.event_type, seconds=round(time.monotonic() - started_s, 3)
                )


class Language(BaseMiddleware):
    """Gives handlers ``t``, the texts in the person's language."""

    def __init__(self, languages: Languages) -> None:
        self._languages = languages

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Handle ``event`` with ``t``, a :class:`bot.i18n.Translator`, among its data."""
        data["t"] = await self._languages.translator(data.get("event_from_user"))
        return await handler(event, data)


class Requests(BaseMiddleware):
    """Gives handlers of messages a ``request``, and those of buttons a ``press``.

    It needs the request id and the texts, so it must come after the middlewares that add them.
    """

    def __init__(self, invitations: Invitations | None = None) -> None:
        self._invitations = invitations

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Handle ``event`` with a :class:`Request` or a :class:`Press` among its data."""
        bot, request_id, t = data["bot"], data["request_id"], data["t"]
        settle, invitations = data["settle"], self._invitations
        if isinstance(event, CallbackQuery):
            destination = Destination.beside(event)
            person_id = event.from_user.id
            data["press"] = Press(
                bot,
                destination,
                person_id,
                request_id,
                t,
                settle,
                event,
                invitations=invitations,
            )
        elif isinstance(event, Message):
            person_id = event.from_user.id if event.from_user is not None else event.chat.id
            data["request"] = Request(
                bot,
                Destination.reply(event),
                person_id,
                request_id,
                t,
                settle,
                invitations=invitations,
            )
        return await handler(event, data)


class InFlightCap(BaseMiddleware):
    """Limits the number of jobs that a person can have running, and says so when it is reached.

    Counts running handlers that have the flag ``job``. It is an inner middleware because flags are
    known only once a handler is found. Recordings have no flag: they wait their turn, see
    :mod:`bot.turns`.
    """

    def __init__(self, jobs: Jobs, limit: int) -> None:
        self._jobs = jobs
        self._limit = limit

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Handle ``event``, or answer that there are too many jobs."""
        user: User | None = data.get("event_from_user")
        if user is None or not get_flag(data, "job"):
            return await handler(event, data)
        async with self._jobs.slot(user.id, self._limit) as admitted:
            if admitted:
                return await handler(event, data)
        text = error_text(BotError(BotErrorCode.TOO_MANY_JOBS), data["t"])
        if isinstance(event, CallbackQuery):
            return await event.answer(text, show_alert=True)
        return await event.reply(text) if isinstance(event, Message) else None
