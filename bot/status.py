"""The status message of a request, edited as the request proceeds.

Edits are coalesced: however often the text changes, the message is edited at most once per
interval, with the newest text. :class:`bot.flood.FloodControl` enforces Telegram's limit.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramNetworkError,
    TelegramServerError,
)
from aiogram.types import InlineKeyboardMarkup

from bot.request import Request

LAST_EDIT_S: Final = 2.0

logger = structlog.get_logger(__name__)


class StatusMessage:
    """A status message; :meth:`send` creates one, :meth:`adopt` takes over an earlier one.

    Parameters
    ----------
    request : Request
    message_id : int or None
        The message; None if there is none to edit.
    text : str or None
        Its text, if known.
    keyboard : InlineKeyboardMarkup or None
        Its keyboard, which stays as long as the request can be cancelled.
    interval_s : float
        Minimum time between two edits.
    """

    def __init__(
        self,
        request: Request,
        message_id: int | None,
        text: str | None,
        keyboard: InlineKeyboardMarkup | None,
        interval_s: float,
    ) -> None:
        self._request = request
        self.message_id = message_id
        self._keyboard = keyboard
        self._interval_s = interval_s
        self._shown = self._wanted = text
        self._changed = asyncio.Event()
        self._is_editing = self._is_closing = False
        self._editing = asyncio.create_task(self._edit_as_it_changes())

    @classmethod
    async def send(
        cls, request: Request, text: str, keyboard: InlineKeyboardMarkup | None, interval_s: float
    ) -> StatusMessage:
        """Send the message.

        If Telegram does not take it for now, the request goes on without one. If the message was
        sent but its id is lost, another is sent; a press on the button of the first removes it.

        Raises
        ------
        aiogram.exceptions.TelegramAPIError
            If Telegram refuses the message, for example because the person has blocked the bot.
        """
        message = None
        try:
            message = await request.say(text, keyboard) or await request.say(text, keyboard)
        except (TelegramNetworkError, TelegramServerError) as error:
            logger.warning("no status message", error=type(error).__name__)
        message_id = None if message is None else message.message_id
        return cls(request, message_id, text, keyboard, interval_s)

    @classmethod
    def adopt(
        cls,
        request: Request,
        message_id: int,
        text: str,
        keyboard: InlineKeyboardMarkup,
        interval_s: float,
    ) -> StatusMessage:
        """Take over a message that an earlier run of the bot has sent."""
        status = cls(request, message_id, None, keyboard, interval_s)
        status.show(text)
        return status

    def show(self, text: str, *, cancellable: bool = True) -> None:
        """Change the text at the next edit; ``cancellable=False`` also removes the button."""
        self._wanted = text
        if not cancellable:
            self._keyboard = None
        self._changed.set()

    async def finish(self, text: str) -> None:
        """Show the final text and remove the keyboard.

        If the message is gone or cannot be edited, the text is sent in a new one.
        """
        await self.close()
        try:
            if await self._edit(text, None):
                return
        except TelegramAPIError as error:
            logger.warning("status not edited", error=type(error).__name__)
        try:
            await self._request.say(text)
        except TelegramAPIError as error:
            logger.warning("outcome not said", error=type(error).__name__)

    async def become(self, text: str, keyboard: InlineKeyboardMarkup) -> bool:
        """Turn into another message, which stays; False if it is gone.

        Raises
        ------
        aiogram.exceptions.TelegramAPIError
            If Telegram does not take the text.
        """
        await self.close()
        is_there = await self._edit(text, keyboard)
        self.message_id = None
        return is_there

    async def remove(self) -> None:
        """Delete the message, or at least its keyboard."""
        await self.close()
        if self.message_id is None:
            return
        bot, chat_id = self._request.bot, self._request.destination.chat_id
        try:
            await bot.delete_message(chat_id, self.message_id)
        except TelegramAPIError:
            with suppress(TelegramAPIError):
                await bot.edit_message_reply_markup(
                    chat_id=chat_id, message_id=self.message_id, reply_markup=None
                )

    async def close(self) -> None:
        """Stop editing; the message stays as it is.

        A running edit may finish: broken off, it might reach Telegram after the final text.
        """
        self._is_closing = True
        if self._is_editing:
            await asyncio.wait([self._editing], timeout=LAST_EDIT_S)
        self._editing.cancel()
        with suppress(asyncio.CancelledError):
            await self._editing

    async def _edit(self, text: str, keyboard: InlineKeyboardMarkup | None) -> bool:
        """Edit the message; False if there is none."""
        if self.message_id is None:
            return False
        try:
            await self._request.bot.edit_message_text(
                text,
                chat_id=self._request.destination.chat_id,
                message_id=self.message_id,
                reply_markup=keyboard,
            )
        except TelegramBadRequest as error:
            return "not modified" in error.message
        return True

    async def _edit_as_it_changes(self) -> None:
        while not self._is_closing:
            await asyncio.sleep(self._interval_s)
            await self._changed.wait()
            self._changed.clear()
            text = self._wanted
            if text is None or text == self._shown:
                continue
            self._is_editing = True
            try:
                await self._edit(text, self._keyboard)
                self._shown = text
            except TelegramAPIError as error:
                # A lost edit does no harm: the next one has a newer text.
                logger.warning("status not edited", error=type(error).__name__)
            finally:
                self._is_editing = False
