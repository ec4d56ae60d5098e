"""Requests: who asked, where the answer goes, and in which language.

The middleware :class:`bot.middlewares.Requests` builds a :class:`Request` for every message and a
:class:`Press` for every pressed button. Handlers pass it to the class that does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    ReplyParameters,
)

from bot.client.types import Result
from bot.errors import BotError, ServiceErrorCode
from bot.i18n import Translator
from bot.practice.invitation import Invitations
from bot.session import AnswerLostError
from bot.sources import find_source
from bot.views import error_text

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an answer goes: a chat, a topic in it, and a message to reply to."""

    chat_id: int
    thread_id: int | None = None
    reply_to_id: int | None = None

    @classmethod
    def reply(cls, message: Message) -> Destination:
        """A reply to ``message``."""
        return cls(message.chat.id, _thread_id(message), message.message_id)

    @classmethod
    def beside(cls, callback: CallbackQuery) -> Destination:
        """The place of the pressed button's message, in reply to what that message replied to."""
        message = callback.message
        if not isinstance(message, Message):
            return cls(message.chat.id if message is not None else callback.from_user.id)
        original = message.reply_to_message
        reply_to_id = None if original is None else original.message_id
        return cls(message.chat.id, _thread_id(message), reply_to_id)

    @property
    def place(self) -> dict[str, Any]:
        """The chat and the topic, as arguments of a sending method."""
        return {"chat_id": self.chat_id, "message_thread_id": self.thread_id}

    @property
    def address(self) -> dict[str, Any]:
        """The chat, the topic and the reply, as arguments of a sending method.

        The message is sent even if the one to reply to was deleted.
        """
        if self.reply_to_id is None:
            return self.place
        reply = ReplyParameters(message_id=self.reply_to_id, allow_sending_without_reply=True)
        return {**self.place, "reply_parameters": reply}


def leading_title(message: Message) -> str:
    """The bold text at the start of a message or caption, or an empty string."""
    text = message.text or message.caption
    for entity in message.entities or message.caption_entities or ():
        if entity.type == "bold" and entity.offset == 0 and text:
            return entity.extract_from(text)
    return ""


def _thread_id(message: Message) -> int | None:
    return message.message_thread_id if message.is_topic_message else None


@dataclass(frozen=True, slots=True)
class Request:
    """Everything needed to answer a person.

    Parameters
    ----------
    bot : Bot
    destination : Destination
        Where the answer goes.
    person_id : int
        Telegram id of the person who asked.
    id : str
        The request id, which log lines, calls of the service and the cancel button carry.
    t : Translator
        Texts in the person's language.
    settle : callable
        Lets Telegram forget the update: the work is written down (see :mod:`bot.intake`).
    invitations : Invitations or None
        Makes links to the practice page; None if there is none.
    """

    bot: Bot
    destination: Destination
    person_id: int
    id: str
    t: Translator
    settle: Callable[[], None]
    invitations: Invitations | None = field(default=None, kw_only=True)

    def practise_button(self, result: Result, title: str) -> InlineKeyboardButton | None:
        """The button that opens the practice page with a result; None if there is no such page."""
        if self.invitations is None:
            return None
        return self.invitations.button(
            result,
            title,
            person_id=self.person_id,
            chat_id=self.destination.chat_id,
            thread_id=self.destination.thread_id,
            t=self.t,
        )

    async def say(self, text: str, keyboard: InlineKeyboardMarkup | None = None) -> Message | None:
        """Send a message to the destination; None if it was sent and its id did not arrive."""
        try:
            return await self.bot.send_message(
                text=text, reply_markup=keyboard, **self.destination.address
            )
        except AnswerLostError:
            return None

    def beside(self, message: Message | None) -> Self:
        """The same request, answered in reply to another message of the chat."""
        if message is None:
            return self
        return replace(self, destination=replace(self.destination, reply_to_id=message.message_id))

    @property
    def is_private(self) -> bool:
        """Whether the answer goes to the person's private chat."""
        return self.destination.chat_id == self.person_id

    def is_private_with(self, people: Collection[int]) -> bool:
        """Whether this is the private chat of one of these people."""
        return self.person_id in people and self.is_private

    def explain(self, error: BotError) -> str:
        """The text of an error."""
        return error_text(error, self.t, self.id)


@dataclass(frozen=True, slots=True)
class Press(Request):
    """A request made by pressing a button."""

    callback: CallbackQuery

    @property
    def buttons(self) -> tuple[str, int, int]:
        """Key of the message with the pressed button, the same for everyone who presses."""
        message = self.callback.message
        return ("buttons", message.chat.id, message.message_id) if message else ("buttons", 0, 0)

    @property
    def title(self) -> str:
        """The title of the result that the message's buttons belong to, or an empty string.

        The title is the bold text at the start of the message, or else that of the audio that the
        message replies to.
        """
        message = self.callback.message
        if not isinstance(message, Message):
            return ""
        if title := leading_title(message):
            return title
        source = find_source(message.reply_to_message) if message.reply_to_message else None
        return source.title if source is not None else ""

    async def acknowledge(self, text: str | None = None) -> None:
        """Answer the press, with a short notice if ``text`` is given.

        Telegram refuses answers that come late, which is no reason to leave the work undone.
        """
        try:
            await self.callback.answer(text)
        except TelegramAPIError as error:
            logger.info("press not answered", error=type(error).__name__)

    async def report(self, error: BotError) -> None:
        """Send the text of an error; remove the buttons if the result has expired."""
        logger.info("press failed", code=error.code)
        await self.say(self.explain(error))
        if error.code == ServiceErrorCode.RESULT_EXPIRED:
            await self.take_buttons_away()

    async def take_buttons_away(self) -> None:
        """Remove all buttons of the message with the pressed button."""
        with suppress(TelegramAPIError):
            await self.show_buttons(None)

    async def show_buttons(self, keyboard: InlineKeyboardMarkup | None) -> None:
        """Put other buttons under the message with the pressed button.

        Raises
        ------
        aiogram.exceptions.TelegramAPIError
            If Telegram does not take them.
        """
        if isinstance(self.callback.message, Message):
            await self.callback.message.edit_reply_markup(reply_markup=keyboard)

    async def delete_message(self) -> None:
        """Delete the message with the pressed button, unless it is too old to delete."""
        if self.callback.message is not None:
            with suppress(TelegramAPIError):
                await self.bot.delete_message(
                    self.destination.chat_id, self.callback.message.message_id
                )
