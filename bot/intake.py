"""Updates on their way in: none is lost to a crash, and none is worked twice.

Telegram keeps an update until the bot confirms it: by asking for later ones, or by answering the
webhook. The bot confirms a message once its work is accepted by the service, which writes it down,
or else once it is answered. A confirmation that waits would hold up everyone, so it waits for
:data:`CONFIRM_S` at most.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final, cast

from aiogram import Bot
from aiogram.client.session.middlewares.base import (
    BaseRequestMiddleware,
    NextRequestMiddlewareType,
)
from aiogram.methods import GetUpdates, Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Update

CONFIRM_S: Final = 5.0
MAX_REMEMBERED: Final = 10_000


class Intake(BaseRequestMiddleware):
    """A session middleware that lets ``getUpdates`` confirm only what is accepted."""

    def __init__(self) -> None:
        self._settled: OrderedDict[int, asyncio.Event] = OrderedDict()
        self._begun: set[int] = set()

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Wait for the updates that ``method`` would confirm."""
        if not isinstance(method, GetUpdates):
            return await make_request(bot, method)
        await self._settle_all()
        answer: object = await make_request(bot, cast("TelegramMethod[TelegramType]", method))
        if isinstance(answer, list):
            for update in answer:
                if isinstance(update, Update):
                    self._remember(update.update_id)
        return cast("Response[TelegramType]", answer)

    def begin(self, update_id: int) -> bool:
        """Begin to work on an update; False if it was begun before."""
        self._remember(update_id)
        if update_id in self._begun:
            return False
        self._begun.add(update_id)
        return True

    def settle(self, update_id: int) -> None:
        """Let an update be confirmed."""
        self._remember(update_id).set()

    async def wait(self, update_id: int) -> None:
        """Wait until an update may be confirmed, but not for long."""
        await self._wait([self._remember(update_id)])

    async def _settle_all(self) -> None:
        await self._wait([event for event in self._settled.values() if not event.is_set()])

    async def _wait(self, events: list[asyncio.Event]) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        if not waiting:
            return
        _, late = await asyncio.wait(waiting, timeout=CONFIRM_S)
        for task in late:
            task.cancel()
        for event in events:
            event.set()  # waited for once only

    def _remember(self, update_id: int) -> asyncio.Event:
        event = self._settled.setdefault(update_id, asyncio.Event())
        while len(self._settled) > MAX_REMEMBERED:
            oldest, _ = self._settled.popitem(last=False)
            self._begun.discard(oldest)
        return event
