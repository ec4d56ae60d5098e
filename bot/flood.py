"""Telegram's flood limits.

The Bot API's FAQ ("My bot is hitting limits") allows about one message a second in a chat, and 20 a
minute in a group. Every request that writes to a chat waits for the chat's next turn. A request
that Telegram still refuses with RetryAfter is sent again after that time. Downloads, answers to
buttons and deletions do not wait. Several bots of one token take the turns of a chat together.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiogram import Bot
from aiogram.client.session.middlewares.base import (
    BaseRequestMiddleware,
    NextRequestMiddlewareType,
)
from aiogram.exceptions import TelegramRetryAfter
from aiogram.methods import Response, SendChatAction, TelegramMethod
from aiogram.methods.base import TelegramType

from bot.coordination import Alone, Coordination

MAX_ATTEMPTS: Final = 4
MAX_RETRY_AFTER_S: Final = 300.0

logger = structlog.get_logger(__name__)


class FloodControl(BaseRequestMiddleware):
    """A session middleware that spaces the requests to each chat.

    Parameters
    ----------
    chat_interval_s, group_interval_s : float
        Minimum time between two writing requests, in a private chat and in a group.
    coordination : Coordination, optional
        With the other bots of the token.
    """

    def __init__(
        self,
        chat_interval_s: float,
        group_interval_s: float,
        coordination: Coordination | None = None,
    ) -> None:
        self._chat_interval_s = chat_interval_s
        self._group_interval_s = group_interval_s
        self._coordination = coordination or Alone()

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Send ``method`` in its turn, and again after RetryAfter."""
        chat_id = _paced_chat(method)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            if chat_id is not None:
                interval_s = self.interval_s(chat_id)
                await asyncio.sleep(await self._coordination.reserve(str(chat_id), interval_s))
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as error:
                if attempt == MAX_ATTEMPTS or error.retry_after > MAX_RETRY_AFTER_S:
                    raise
                logger.warning(
                    "flood limit", method=method.__api_method__, retry_after_s=error.retry_after
                )
                if chat_id is None:
                    await asyncio.sleep(error.retry_after)
                else:
                    await self._coordination.postpone(str(chat_id), error.retry_after)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def interval_s(self, chat_id: int | str) -> float:
        """Minimum time between two writing requests in this chat; groups have negative ids."""
        in_group = isinstance(chat_id, str) or chat_id < 0
        return self._group_interval_s if in_group else self._chat_interval_s


def _paced_chat(method: TelegramMethod[TelegramType]) -> int | str | None:
    """The chat that ``method`` writes a message to, if it writes one."""
    name = method.__api_method__
    writes = name.startswith(("send", "edit")) and not isinstance(method, SendChatAction)
    chat_id = getattr(method, "chat_id", None)
    return chat_id if writes and isinstance(chat_id, int | str) else None
