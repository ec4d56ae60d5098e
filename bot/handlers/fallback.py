"""Answers to everything that no other handler took. Registered last.

In groups the bot answers only what is addressed to it.
"""

from __future__ import annotations

from aiogram import F, Router
from aiogram.enums import ChatType, ContentType
from aiogram.types import CallbackQuery, Message

from bot.i18n import Translator

_SENT_BY_PEOPLE = frozenset(
    {
        ContentType.TEXT,
        ContentType.PHOTO,
        ContentType.STICKER,
        ContentType.ANIMATION,
        ContentType.CONTACT,
        ContentType.LOCATION,
        ContentType.POLL,
        ContentType.DICE,
        ContentType.STORY,
    }
)


async def on_unknown_command(message: Message, t: Translator) -> None:
    """A command that does not exist, or not for this person: say so."""
    await message.answer(t("unknown.command"))


async def on_unknown_file(message: Message, t: Translator) -> None:
    """A file that is not audio."""
    await message.reply(t("unknown.file"))


async def on_anything_else(message: Message, t: Translator) -> None:
    """A text, a picture: say what to send instead."""
    await message.answer(t("unknown.message"))


async def on_unknown_button(callback: CallbackQuery, t: Translator) -> None:
    """A button that is out of date, or not for this person."""
    await callback.answer(t("unknown.button"))


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="fallback")
    router.message.filter(F.chat.type == ChatType.PRIVATE)
    router.message.register(on_unknown_command, F.text.startswith("/"))
    router.message.register(on_unknown_file, F.document)
    router.message.register(on_anything_else, F.content_type.in_(_SENT_BY_PEOPLE))
    router.callback_query.register(on_unknown_button)
    return router
