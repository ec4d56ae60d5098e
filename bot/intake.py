"""Updates on their way in: none is lost to a crash, and none is worked twice.

Telegram keeps an update until the bot confirms it: by asking for later ones, or by answering the
webhook. The bot confirms a message once its work is accepted by the service, which writes it down,
or else once it is answered. Meanwhile it asks for updates from the oldest unconfirmed one on, which
brings later ones too, so nobody waits for somebody else's recording.

Of several bots behind one webhook, the first that begins works on an update. If that bot dies,
Telegram sends the update again, and another works on it. Messages of one chat begin one after the
other, each when the one before it may be confirmed. While the bots cannot agree, they refuse
updates, which Telegram keeps.
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

from bot.coordination import DAY_S, Alone, Coordination, CoordinationAwayError, Ticket

CONFIRM_S: Final = 30.0
"""An update is confirmed after this time, whatever has become of it."""

MAX_UNCONFIRMED: Final = 60
"""Telegram returns at most 100 updates, those that are not confirmed included."""

MAX_REMEMBERED: Final = 10_000

_LOOK_S: Final = 0.2
"""Between two looks at an update on which another bot works."""

_PAUSE_S: Final = 0.3
"""Between two requests that return unconfirmed updates, which Telegram answers at once."""


class _Arrival:
    """An update that has arrived."""

    def __init__(self) -> None:
        self.arrived_s = time.monotonic()
        self.begun = False
        self.is_refused = False
        self.settled = asyncio.Event()
        self.tickets: list[Ticket] = []


class Intake(BaseRequestMiddleware):
    """A session middleware that lets ``getUpdates`` confirm only what is accepted.

    Parameters
    ----------
    coordination : Coordination, optional
        With the other bots behind the webhook.
    """

    def __init__(self, coordination: Coordination | None = None) -> None:
        self._coordination = coordination or Alone()
        self._arrivals: OrderedDict[int, _Arrival] = OrderedDict()
        self._leaving: set[asyncio.Task[None]] = set()

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

    async def begin(self, update_id: int, chat_id: int | None = None) -> bool:
        """Begin to work on an update; False if it was begun before, or must come again.

        Parameters
        ----------
        update_id : int
        chat_id : int, optional
            Chat in which it is to begin after those that came before it.
        """
        arrival = self._remember(update_id)
        is_first, arrival.begun = not arrival.begun, True
        if not is_first or not self._coordination.is_shared:
            return is_first
        try:
            await self._coordination.check()
        except CoordinationAwayError:
            del self._arrivals[update_id]
            arrival.is_refused = True
            arrival.settled.set()
            return False
        if not await self._claim(update_id, arrival):
            arrival.settled.set()
            return False
        if chat_id is not None:
            await self._stand_in_line(chat_id, arrival)
        return True

    def settle(self, update_id: int) -> None:
        """Let an update be confirmed."""
        self._remember(update_id).settled.set()

    async def end(self, update_id: int) -> None:
        """End the work on an update that was begun."""
        arrival = self._remember(update_id)
        arrival.settled.set()
        if arrival.tickets:
            await self._note_done(update_id)
        await self._leave(arrival)

    async def wait(self, update_id: int) -> bool:
        """Wait until an update may be confirmed; False if it must come again."""
        arrival = self._remember(update_id)
        try:
            async with asyncio.timeout(CONFIRM_S):
                await arrival.settled.wait()
        except TimeoutError:
            return True
        if arrival.tickets:
            await self._note_done(update_id)
        return not arrival.is_refused

    async def _claim(self, update_id: int, arrival: _Arrival) -> bool:
        """Be the one bot that works on an update, unless another one has, or does to the end."""
        while time.monotonic() - arrival.arrived_s < CONFIRM_S:
            ticket = await self._coordination.join(f"update:{update_id}", 1)
            if ticket is not None:
                arrival.tickets.append(ticket)
            [done] = await self._coordination.find(f"done:{update_id}")
            if done is not None:
                await self._leave(arrival)
                return False
            if ticket is not None:
                return True
            await asyncio.sleep(_LOOK_S)
        return False

    async def _stand_in_line(self, chat_id: int, arrival: _Arrival) -> None:
        """Wait for the earlier messages of a chat; let the later ones wait for this one."""
        ticket = await self._coordination.join(f"chat:{chat_id}")
        assert ticket is not None
        leaving = asyncio.create_task(self._leave_when_settled(ticket, arrival))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        while time.monotonic() - arrival.arrived_s < CONFIRM_S:
            if not await self._coordination.ahead(ticket):
                return
            await self._coordination.moved(ticket)

    async def _leave_when_settled(self, ticket: Ticket, arrival: _Arrival) -> None:
        await arrival.settled.wait()
        await self._coordination.leave(ticket)

    async def _leave(self, arrival: _Arrival) -> None:
        for ticket in arrival.tickets:
            await self._coordination.leave(ticket)
        arrival.tickets.clear()

    async def _note_done(self, update_id: int) -> None:
        await self._coordination.note(f"done:{update_id}", "", DAY_S)

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
