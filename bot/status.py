"""The status message of a request, edited as the request proceeds.

Edits are coalesced: however often the text changes, the message is edited at most once per
interval, with the newest text. :class:`bot.flood.FloodControl` enforces Telegram's limit.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest
from aiogram.types import InlineKeyboardMarkup, Message

from bot.request import Request

logger = structlog.get_logger(__name__)


class StatusMessage:
    """A status message; :meth:`send` creates one.

    Parameters
    ----------
    message : Message
        The message that was sent.
    text : str
        Its text.
    keyboard : InlineKeyboardMarkup
        Its keyboard, which stays until the end.
    interval_s : float
        Minimum time between two edits.
    """

    def __init__(
        self, message: Message, text: str, keyboard: InlineKeyboardMarkup, interval_s: float
    ) -> None:
        self._message = message
        self._keyboard = keyboard
        self._interval_s = interval_s
        self._shown = self._wanted = text
        self._changed = asyncio.Event()
        self._editing = asyncio.create_task(self._edit_as_it_changes())

    @classmethod
    async def send(
        cls, request: Request, text: str, keyboard: InlineKeyboardMarkup, interval_s: float
    ) -> StatusMessage:
        """Send the message."""
        message = await request.say(text, keyboard)
        return cls(message, text, keyboard, interval_s)

    def show(self, text: str) -> None:
        """Change the text at the next edit."""
        self._wanted = text
        self._changed.set()

    async def finish(self, text: str) -> None:
        """Show the final text and remove the keyboard.

        If the message is gone, the text is sent in a new one.
        """
        await self.close()
        try:
            await self._message.edit_text(text)
        except TelegramBadRequest as error:
            if "not modified" not in error.message:
                await self._message.answer(text)

    async def remove(self) -> None:
        """Delete the message, unless Telegram refuses."""
        await self.close()
        with suppress(TelegramAPIError):
            await self._message.delete()

    async def close(self) -> None:
        """Stop editing; the message stays as it is."""
        self._editing.cancel()
        with suppress(asyncio.CancelledError):
            await self._editing

    async def _edit_as_it_changes(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self._changed.wait()
            self._changed.clear()
            text = self._wanted
            if text == self._shown:
                continue
            try:
                await self._message.edit_text(text, reply_markup=self._keyboard)
                self._shown = text
            except TelegramAPIError as error:
                # A lost edit does no harm: the next one has a newer text.
                logger.warning("status not edited", error=type(error).__name__)
