"""Second tries at the Bot API: an outage of Telegram delays a message instead of losing it.

A request that failed on the way, or that the server could not handle (5xx), is sent again after a
pause, which grows and is random so that many requests do not return at the same moment.

A request whose answer never came may have been carried out. Editing and deleting twice does no
harm. Messages are sent again all the same: one that comes twice is better than one that never
comes. The exception is :class:`bot.session.AnswerLostError`, where Telegram is known to have sent
the message. It is raised to the caller, who has no message id but need not send again.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

import structlog
from aiogram import Bot
from aiogram.client.session.middlewares.base import (
    BaseRequestMiddleware,
    NextRequestMiddlewareType,
)
from aiogram.exceptions import TelegramEntityTooLarge, TelegramNetworkError, TelegramServerError
from aiogram.methods import (
    AnswerCallbackQuery,
    GetUpdates,
    Response,
    SendChatAction,
    TelegramMethod,
)
from aiogram.methods.base import TelegramType

from bot.session import AnswerLostError

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
ANSWER_PATIENCE_S: Final = 10.0
"""For answers to pressed buttons, which Telegram accepts for a short time only."""

START_PATIENCE_S: Final = 2.0
"""For methods without a chat, called when the bot starts; a supervisor starts it again."""

_UNREPEATED: Final = (GetUpdates, SendChatAction)
"""aiogram repeats the first itself, and the second is out of date after a pause."""

logger = structlog.get_logger(__name__)


class Patience:
    """Pauses between tries, up to a total time.

    Parameters
    ----------
    limit_s : float
        Time from the first pause to the last try.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._pause_s = FIRST_PAUSE_S
        self._end_s: float | None = None

    async def pause(self) -> bool:
        """Wait before the next try; False, at once, if there is to be none."""
        now_s = asyncio.get_running_loop().time()
        if self._end_s is None:
            self._end_s = now_s + self._limit_s
        if now_s >= self._end_s:
            return False
        pause_s = self._pause_s * random.uniform(0.5, 1.0)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        await asyncio.sleep(min(pause_s, self._end_s - now_s))
        return True


class Retries(BaseRequestMiddleware):
    """A session middleware that repeats failed requests.

    Parameters
    ----------
    patience_s : float
        How long a request that concerns a chat is repeated.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Send ``method`` until there is an answer."""
        patience = Patience(self._limit_s(method))
        while True:
            try:
                return await make_request(bot, method)
            except (TelegramNetworkError, TelegramServerError) as error:
                is_sent = isinstance(error, AnswerLostError) and _sends(method)
                is_final = isinstance(error, TelegramEntityTooLarge)
                if isinstance(method, _UNREPEATED) or is_sent or is_final:
                    raise
                failure = error.with_traceback(None)
            if not await patience.pause():
                try:
                    raise failure
                finally:
                    del failure  # its traceback refers to this frame, which holds the files
            logger.warning(
                "telegram failed", method=method.__api_method__, error=type(failure).__name__
            )

    def _limit_s(self, method: TelegramMethod[Any]) -> float:
        if isinstance(method, AnswerCallbackQuery):
            return min(self._patience_s, ANSWER_PATIENCE_S)
        if hasattr(method, "chat_id") or hasattr(method, "file_id"):
            return self._patience_s
        return min(self._patience_s, START_PATIENCE_S)


def _sends(method: TelegramMethod[Any]) -> bool:
    """Whether a repetition would be a second message."""
    return method.__api_method__.startswith("send")
