"""Answers to pressed buttons that take a moment: one at a time for each message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from aiogram.enums import ChatAction
from aiogram.exceptions import TelegramAPIError, TelegramForbiddenError
from aiogram.utils.chat_action import ChatActionSender

from bot.errors import BotError, BotErrorCode, ServiceError
from bot.frames import forget_frames
from bot.jobs import Jobs
from bot.request import Press
from bot.room import Place, Room

T = TypeVar("T")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Presses:
    """Does what a button asks for, and reports failures in the chat."""

    jobs: Jobs
    deliveries: Room

    async def answer(
        self,
        press: Press,
        words: str | None,
        action: ChatAction,
        make: Callable[[Place], Awaitable[T]],
        send: Callable[[T], Awaitable[None]],
    ) -> None:
        """Answer a press; while it is worked on, others under the same message are told to wait.

        Parameters
        ----------
        press : Press
        words : str or None
            The notice that confirms the press; None for none.
        action : ChatAction
            What the chat shows meanwhile.
        make : callable
            Asks the service; takes the place before it holds files.
        send : callable
            Sends what ``make`` returned.
        """

        async def work(place: Place) -> None:
            await send(await make(place))

        await self.work(press, words, action, work)

    async def work(
        self,
        press: Press,
        words: str | None,
        action: ChatAction,
        work: Callable[[Place], Awaitable[None]],
    ) -> None:
        """Answer a press like :meth:`answer`; ``work`` asks the service and sends."""
        async with self.jobs.slot(press.buttons, 1) as free:
            if not free:
                await press.acknowledge(press.t("result.busy"))
                return
            await press.acknowledge(words)
            chat_action = ChatActionSender(bot=press.bot, action=action, **press.destination.place)
            try:
                async with chat_action, self.deliveries.place() as place:
                    await work(place)
            except ServiceError as error:
                forget_frames(error)
                await press.report(error)
            except TelegramForbiddenError:
                raise
            except TelegramAPIError as error:
                logger.warning("not delivered", error=type(error).__name__)
                forget_frames(error)
                await press.report(BotError(BotErrorCode.DELIVERY_FAILED))
