"""Putting a page right: its buttons, and what people write about it."""

from __future__ import annotations

from typing import Any

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, Message

from bot.fix_buttons import CorrectButton, FixButton, UndoButton
from bot.fixer import Fixer
from bot.latest import LatestPage, PageStore, read_buttons
from bot.request import Press, Request, leading_title


async def about_a_page(message: Message, pages: PageStore) -> dict[str, Any] | bool:
    """Filter for words about a page, which the handler gets as ``page``.

    They reply to it or, in private, follow it.
    """
    replied = message.reply_to_message
    if replied is not None and (buttons := read_buttons(replied.reply_markup)) is not None:
        return {"page": LatestPage(*buttons, leading_title(replied))}
    is_private = message.chat.type == ChatType.PRIVATE
    page = await pages.find(message.chat.id) if is_private else None
    return {"page": page} if page is not None else False


async def on_words(message: Message, page: LatestPage, request: Request, fixer: Fixer) -> None:
    """A text about a page."""
    await fixer.answer(request, page, message.text or "")


async def on_fix(
    callback: CallbackQuery, callback_data: FixButton, press: Press, fixer: Fixer
) -> None:
    """The choices of a topic."""
    await fixer.open(press, callback_data)


async def on_correct(
    callback: CallbackQuery,
    callback_data: CorrectButton | UndoButton,
    press: Press,
    fixer: Fixer,
) -> None:
    """A correction, or an earlier state."""
    await fixer.correct(press, callback_data)


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="fix")
    router.message.register(
        on_words, F.text, ~F.text.startswith("/"), about_a_page, flags={"job": True}
    )
    router.callback_query.register(on_fix, FixButton.filter(), flags={"job": True})
    for button in (CorrectButton, UndoButton):
        router.callback_query.register(on_correct, button.filter(), flags={"job": True})
    return router
