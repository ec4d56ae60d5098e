"""Updates on their way in: none is lost to a crash, and none is worked twice.

Telegram keeps an update until the bot confirms it: by asking for later ones, or by answering the
webhook. The bot confirms a message once its work is accepted by the service, which writes it down,
or else once it is answered. Meanwhile it asks for updates from the oldest unconfirmed one on, which
brings later ones too, so nobody waits for somebody else's recording.
"""

from __future__ import annotations

import asyncio
import time
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

CONFIRM_S: Final = 30.0
"""An update is confirmed after this time, whatever has become of it."""

MAX_UNCONFIRMED: Final = 60
"""Telegram returns at most 100 updates, those that are not confirmed included."""

MAX_REMEMBERED: Final = 10_000

_PAUSE_S: Final = 0.3
"""Between two requests that return unconfirmed updates, which Telegram answers at once."""


class _Arrival:
    """An update that has arrived."""

    def __init__(self) -> None:
        self.arrived_s = time.monotonic()
        self.begun = False
        self.settled = asyncio.Event()


class Intake(BaseRequestMiddleware):
    """A session middleware that lets ``getUpdates`` confirm only what is accepted."""

    def __init__(self) -> None:
        self._arrivals: OrderedDict[int, _Arrival] = OrderedDict()

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Ask from the oldest unconfirmed update on; return those that are new."""
        if not isinstance(method, GetUpdates):
            return await make_request(bot, method)
        await self._pause()
        asked = method
        if unsettled := self._unsettled():
            asked = method.model_copy(update={"offset": unsettled[0]})
        answer: object = await make_request(bot, cast("TelegramMethod[TelegramType]", asked))
        if isinstance(answer, list):
            updates = [update for update in answer if isinstance(update, Update)]
            answer = [update for update in updates if update.update_id not in self._arrivals]
            for update in answer:
                self._remember(update.update_id)
        return cast("Response[TelegramType]", answer)

    def begin(self, update_id: int) -> bool:
        """Begin to work on an update; False if it was begun before."""
        arrival = self._remember(update_id)
        is_first, arrival.begun = not arrival.begun, True
        return is_first

    def settle(self, update_id: int) -> None:
        """Let an update be confirmed."""
        self._remember(update_id).settled.set()

    async def wait(self, update_id: int) -> None:
        """Wait until an update may be confirmed."""
        try:
            async with asyncio.timeout(CONFIRM_S):
                await self._remember(update_id).settled.wait()
        except TimeoutError:
            return

    async def _pause(self) -> None:
        """Give the updates that have just arrived the time to be accepted."""
        waiting = [
            asyncio.ensure_future(self._arrivals[number].settled.wait())
            for number in self._unsettled()
        ]
        if waiting:
            await asyncio.wait(waiting, timeout=_PAUSE_S)
        for task in waiting:
            task.cancel()

    def _unsettled(self) -> list[int]:
        """The updates that are not to be confirmed yet, the oldest first."""
        now_s = time.monotonic()
        numbers = []
        for number, arrival in self._arrivals.items():
            if now_s - arrival.arrived_s > CONFIRM_S:
                arrival.settled.set()
            if not arrival.settled.is_set():
                numbers.append(number)
        return sorted(numbers)[-MAX_UNCONFIRMED:]

    def _remember(self, update_id: int) -> _Arrival:
        arrival = self._arrivals.get(update_id)
        if arrival is None:
            arrival = self._arrivals[update_id] = _Arrival()
        while len(self._arrivals) > MAX_REMEMBERED:
            self._arrivals.popitem(last=False)
        return arrival
