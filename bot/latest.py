"""The page that people's words refer to: the one that they reply to, or the chat's latest.

A page's own buttons say which result it shows and how. Telegram hands them over with a reply, but
with no other message. For private chats the latest page is therefore noted whenever one is sent or
edited, in the file of the languages (:mod:`bot.languages`). If the notes are lost, a reply still
works.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.methods import (
    EditMessageCaption,
    EditMessageMedia,
    EditMessageReplyMarkup,
    EditMessageText,
    Response,
    SendMessage,
    SendPhoto,
    TelegramMethod,
)
from aiogram.methods.base import TelegramType
from aiogram.types import InlineKeyboardMarkup, Message

from bot.buttons import RenderButton, callback_data, find_shown
from bot.fix_buttons import FixButton, UndoButton
from bot.request import leading_title
from bot.table import BoundedTable

MAX_PAGES: Final = 10_000

_TITLE: Final = re.compile(r"<b>(.*?)</b>", re.DOTALL)
_Button = TypeVar("_Button", bound=RenderButton)
_Sent = SendMessage | SendPhoto
_Edited = EditMessageMedia | EditMessageCaption | EditMessageText | EditMessageReplyMarkup


@dataclass(frozen=True, slots=True)
class LatestPage:
    """A page in a chat.

    Parameters
    ----------
    shown : RenderButton
        The result, and how it is shown.
    undo : UndoButton or None
        The state before, to which the page's own button returns.
    title : str
        The title of the music, in plain text.
    """

    shown: RenderButton
    undo: UndoButton | None
    title: str


def read_buttons(
    markup: InlineKeyboardMarkup | None,
) -> tuple[RenderButton, UndoButton | None] | None:
    """Return what the buttons under a page show and what they undo; None if it is no page's."""
    data = callback_data(markup)
    shown = _first(FixButton, data) or find_shown(data)
    return None if shown is None else (shown, _first(UndoButton, data))


def _first(kind: type[_Button], data: Iterable[str]) -> _Button | None:
    for item in data:
        if item.startswith(f"{kind.__prefix__}:"):
            try:
                return kind.unpack(item)
            except (TypeError, ValueError):
                continue
    return None


def encode_page(
    before: Sequence[Any] | None, message_id: int, markup: InlineKeyboardMarkup, title: str | None
) -> tuple[int, str, str, str] | None:
    """Return what is stored of a page; None if it is none.

    Parameters
    ----------
    before : sequence or None
        What is stored of the chat's latest page.
    message_id : int
    markup : InlineKeyboardMarkup
    title : str or None
        None keeps the title that the message had.
    """
    if (buttons := read_buttons(markup)) is None:
        return None
    shown, undo = buttons
    if title is None:
        title = str(before[-1]) if before is not None and before[0] == message_id else ""
    return message_id, shown.pack(), undo.pack() if undo else "", title


def decode_page(message_id: int, shown: str, undo: str, title: str) -> LatestPage | None:
    """Return a page as it was stored; None if it is of an earlier version."""
    button = _first(FixButton, [shown]) or find_shown([shown])
    return None if button is None else LatestPage(button, _first(UndoButton, [undo]), title)


class PageStore(Protocol):
    """Notes the latest page of each chat."""

    async def find(self, chat_id: int) -> LatestPage | None:
        """The latest page of a chat, or None."""
        ...

    async def note(
        self, chat_id: int, message_id: int, markup: InlineKeyboardMarkup, title: str | None
    ) -> None:
        """Note that a message shows a page; None keeps the title that the message had."""
        ...

    async def forget(self, chat_id: int) -> None:
        """Delete the note about a chat."""
        ...


class SqlitePages(BoundedTable):
    """Notes pages in a SQLite file or, without a path, in memory: a row for each chat."""

    def __init__(self, path: Path | None = None, *, max_pages: int = MAX_PAGES) -> None:
        columns = dict.fromkeys(("shown", "undo", "title"), "TEXT NOT NULL")
        super().__init__(
            path,
            "pages",
            "chat_id INTEGER",
            {"message_id": "INTEGER NOT NULL", **columns},
            max_pages,
        )

    async def find(self, chat_id: int) -> LatestPage | None:
        """The latest page of a chat, or None."""
        row = self._read(chat_id)
        return None if row is None else decode_page(*row)

    async def note(
        self, chat_id: int, message_id: int, markup: InlineKeyboardMarkup, title: str | None
    ) -> None:
        """Note that a message shows a page; None keeps the title that the message had."""
        with self._tolerate_faults():
            row = encode_page(self._read(chat_id), message_id, markup, title)
            if row is not None:
                self._write(chat_id, *row)

    async def forget(self, chat_id: int) -> None:
        """Delete the note about a chat."""
        self._delete(chat_id)


class PageWatch(BaseRequestMiddleware):
    """Notes every page that the bot sends to a private chat, or edits there."""

    def __init__(self, pages: PageStore) -> None:
        self._pages = pages

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Make the request, and note the page if it has shown one."""
        answer = await make_request(bot, method)
        match method:
            case SendMessage() | SendPhoto() if isinstance(answer, Message):
                await self._note(method, answer.chat.id, answer.message_id)
            case EditMessageMedia() | EditMessageCaption() | EditMessageText():
                await self._note(method, method.chat_id, method.message_id)
            case EditMessageReplyMarkup():
                title = leading_title(answer) if isinstance(answer, Message) else None
                await self._note(method, method.chat_id, method.message_id, title)
        return answer

    async def _note(
        self,
        method: _Sent | _Edited,
        chat_id: int | str | None,
        message_id: int | None,
        title: str | None = None,
    ) -> None:
        """Note a page. Its title is what the method writes, or else the one that is given."""
        markup = method.reply_markup
        if not isinstance(markup, InlineKeyboardMarkup) or message_id is None:
            return
        if isinstance(chat_id, int) and chat_id > 0:
            written = _title(method)
            title = title if written is None else written
            await self._pages.note(chat_id, message_id, markup, title)


def _title(method: _Sent | _Edited) -> str | None:
    """The bold text at the start of what a method writes; None if it writes nothing."""
    match method:
        case SendMessage() | EditMessageText():
            text = method.text
        case SendPhoto() | EditMessageCaption():
            text = method.caption
        case EditMessageMedia():
            text = method.media.caption
        case _:
            return None
    match_ = _TITLE.match(text or "")
    return html.unescape(match_[1]) if match_ else ""
