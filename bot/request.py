"""A request: who asked, where the answer goes, and in which words.

The middleware :class:`bot.middlewares.Requests` makes a :class:`Request` of a message and a
:class:`Press` of a press on a button, so that a handler hands one object to the service that does
the work.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, ReplyParameters

from bot.errors import BotError, ServiceErrorCode
from bot.i18n import Translator
from bot.sources import find_source
from bot.views import error_text

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer goes: a chat, its topic, and the message that is replied to."""

    chat_id: int
    thread_id: int | None = None
    reply_to_id: int | None = None

    @classmethod
    def reply(cls, message: Message) -> Target:
        """In reply to ``message``."""
        return cls(message.chat.id, _thread_id(message), message.message_id)

    @classmethod
    def beside(cls, callback: CallbackQuery) -> Target:
        """Where the pressed button's message is, in reply to what that one replied to."""
        message = callback.message
        if not isinstance(message, Message):
            return cls(message.chat.id if message is not None else callback.from_user.id)
        original = message.reply_to_message
        reply_to_id = None if original is None else original.message_id
        return cls(message.chat.id, _thread_id(message), reply_to_id)

    @property
    def place(self) -> dict[str, Any]:
        """The chat and its topic, as arguments of a sending method."""
        return {"chat_id": self.chat_id, "message_thread_id": self.thread_id}

    @property
    def address(self) -> dict[str, Any]:
        """The place and the reply, as arguments of a sending method.

        A deleted original is no reason not to send.
        """
        if self.reply_to_id is None:
            return self.place
        reply = ReplyParameters(message_id=self.reply_to_id, allow_sending_without_reply=True)
        return {**self.place, "reply_parameters": reply}


def _thread_id(message: Message) -> int | None:
    return message.message_thread_id if message.is_topic_message else None


@dataclass(frozen=True, slots=True)
class Request:
    """What answering takes.

    Parameters
    ----------
    bot : Bot
    target : Target
        Where the answer goes.
    person_id : int
        Telegram's id of who asked.
    id : str
        The request id: in every log line and every call of the service, and the job's name.
    t : Translator
        Texts in the person's language.
    """

    bot: Bot
    target: Target
    person_id: int
    id: str
    t: Translator

    async def say(self, text: str, keyboard: InlineKeyboardMarkup | None = None) -> Message:
        """Send a message to the target."""
        return await self.bot.send_message(text=text, reply_markup=keyboard, **self.target.address)

    def explain(self, error: BotError) -> str:
        """What went wrong, in words."""
        return error_text(error, self.t, self.id)


@dataclass(frozen=True, slots=True)
class Press(Request):
    """A request that came by a button."""

    callback: CallbackQuery

    @property
    def buttons(self) -> tuple[str, int, int]:
        """Names the message with the pressed button, whoever pressed it."""
        message = self.callback.message
        return ("buttons", message.chat.id, message.message_id) if message else ("buttons", 0, 0)

    @property
    def title(self) -> str:
        """The title of the result whose buttons the message carries; empty if there is none.

        It stands in bold on the message's first line; if it does not, the audio that the message
        replies to has it.
        """
        message = self.callback.message
        if not isinstance(message, Message):
            return ""
        for entity in message.entities or ():
            if entity.type == "bold" and entity.offset == 0 and message.text:
                return entity.extract_from(message.text)
        source = find_source(message.reply_to_message) if message.reply_to_message else None
        return source.title if source is not None else ""

    async def acknowledge(self, text: str | None = None) -> None:
        """Answer the press itself, with words that pass."""
        await self.callback.answer(text)

    async def report(self, error: BotError) -> None:
        """Say what went wrong; the buttons of a result that is gone are taken away."""
        logger.info("press failed", code=error.code)
        await self.say(self.explain(error))
        if error.code == ServiceErrorCode.RESULT_EXPIRED:
            await self.take_buttons_away()

    async def take_buttons_away(self) -> None:
        """Leave no button under the message that had the pressed one."""
        if isinstance(self.callback.message, Message):
            with suppress(TelegramAPIError):
                await self.callback.message.edit_reply_markup(reply_markup=None)

    async def delete_message(self) -> None:
        """Delete the message with the pressed button; one too old to delete stays."""
        if self.callback.message is not None:
            with suppress(TelegramAPIError):
                await self.bot.delete_message(self.target.chat_id, self.callback.message.message_id)
