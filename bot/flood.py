"""Telegram's flood limits.

The Bot API's FAQ ("My bot is hitting limits") allows about one message a second in a chat, and 20 a
minute in a group. Every request that writes to a chat waits for the chat's next turn. A request
that Telegram still refuses with RetryAfter is sent again after that time. Downloads, answers to
buttons and deletions do not wait.
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

MAX_ATTEMPTS: Final = 4
MAX_RETRY_AFTER_S: Final = 300.0

_REMEMBERED_CHATS = 1000

logger = structlog.get_logger(__name__)


class FloodControl(BaseRequestMiddleware):
    """A session middleware that spaces the requests to each chat.

    Parameters
    ----------
    chat_interval_s, group_interval_s : float
        Minimum time between two writing requests, in a private chat and in a group.
    """

    def __init__(self, chat_interval_s: float, group_interval_s: float) -> None:
        self._chat_interval_s = chat_interval_s
        self._group_interval_s = group_interval_s
        self._next_turn_s: dict[int | str, float] = {}

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
                await self._turn(chat_id)
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
                    self._postpone(chat_id, error.retry_after)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def interval_s(self, chat_id: int | str) -> float:
        """Minimum time between two writing requests in this chat; groups have negative ids."""
        in_group = isinstance(chat_id, str) or chat_id < 0
        return self._group_interval_s if in_group else self._chat_interval_s

    async def _turn(self, chat_id: int | str) -> None:
        now_s = asyncio.get_running_loop().time()
        turn_s = max(now_s, self._next_turn_s.get(chat_id, now_s))
        self._next_turn_s[chat_id] = turn_s + self.interval_s(chat_id)
        if len(self._next_turn_s) > _REMEMBERED_CHATS:
            self._next_turn_s = {
                chat: next_s for chat, next_s in self._next_turn_s.items() if next_s > now_s
            }
        await asyncio.sleep(turn_s - now_s)

    def _postpone(self, chat_id: int | str, wait_s: float) -> None:
        not_before_s = asyncio.get_running_loop().time() + wait_s
        self._next_turn_s[chat_id] = max(self._next_turn_s.get(chat_id, 0.0), not_before_s)


def _paced_chat(method: TelegramMethod[TelegramType]) -> int | str | None:
    """The chat that ``method`` writes a message to, if it writes one."""
    name = method.__api_method__
    writes = name.startswith(("send", "edit")) and not isinstance(method, SendChatAction)
    chat_id = getattr(method, "chat_id", None)
    return chat_id if writes and isinstance(chat_id, int | str) else None
