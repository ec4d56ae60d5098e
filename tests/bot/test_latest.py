"""The page that words refer to is noted, within bounds, and survives a restart."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiogram import Bot
from aiogram.methods import EditMessageReplyMarkup, TelegramMethod
from aiogram.types import Chat, InlineKeyboardButton, InlineKeyboardMarkup, Message, MessageEntity

from bot.buttons import ListenButton, RenderButton
from bot.fix_buttons import FixButton, Topic, UndoButton
from bot.latest import LatestPage, PageWatch, SqlitePages, read_buttons

SHOWN = FixButton(result_id="a" * 12, view_code="l", transpose_semitones=2)
UNDO = UndoButton(result_id="b" * 12, view_code="l", transpose_semitones=0, topic=Topic.NONE)


def _markup(*data: RenderButton | str) -> InlineKeyboardMarkup:
    texts = [item if isinstance(item, str) else item.pack() for item in data]
    buttons = [InlineKeyboardButton(text="x", callback_data=text) for text in texts]
    return InlineKeyboardMarkup(inline_keyboard=[buttons])


async def test_a_page_is_found_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bot.sqlite3"
    with SqlitePages(path) as pages:
        assert await pages.find(7) is None
        await pages.note(7, 100, _markup(SHOWN, UNDO), "Lied <3")
    with SqlitePages(path) as pages:
        assert await pages.find(7) == LatestPage(SHOWN, UNDO, "Lied <3")
        assert await pages.find(8) is None


async def test_the_latest_page_is_that_of_the_chat() -> None:
    with SqlitePages() as pages:
        await pages.note(7, 100, _markup(SHOWN), "First")
        await pages.note(7, 101, _markup(UNDO, SHOWN), "Second")
        found = await pages.find(7)
        assert found is not None
        assert found.title == "Second"


async def test_other_buttons_leave_the_title() -> None:
    with SqlitePages() as pages:
        await pages.note(7, 100, _markup(SHOWN), "Lied")
        await pages.note(7, 100, _markup(SHOWN, UNDO), None)
        assert await pages.find(7) == LatestPage(SHOWN, UNDO, "Lied")
        await pages.note(7, 99, _markup(SHOWN), None)
        assert await pages.find(7) == LatestPage(SHOWN, None, "")


async def test_other_buttons_under_an_older_page_keep_its_title() -> None:
    """Telegram answers a change of buttons with the message that has them."""
    bold = MessageEntity(type="bold", offset=0, length=len("Older"))
    older = Message(
        message_id=99,
        date=datetime.now(UTC),
        chat=Chat(id=7, type="private"),
        caption="Older\nKey: G",
        caption_entities=[bold],
    )

    async def answer(bot: Bot, method: TelegramMethod[Any]) -> Any:
        return older

    with SqlitePages() as pages:
        await pages.note(7, 100, _markup(SHOWN), "Newer")
        edit = EditMessageReplyMarkup(chat_id=7, message_id=99, reply_markup=_markup(SHOWN))
        await PageWatch(pages)(answer, Bot("1:x"), edit)
        assert await pages.find(7) == LatestPage(SHOWN, None, "Older")


async def test_messages_without_a_page_are_not_noted() -> None:
    with SqlitePages() as pages:
        await pages.note(7, 100, _markup("x:job"), "Status")
        await pages.note(7, 100, _markup("w:broken"), "Forged")
        assert await pages.find(7) is None


async def test_the_oldest_notes_are_dropped() -> None:
    with SqlitePages(max_pages=2) as pages:
        for chat_id in (1, 2, 3):
            await pages.note(chat_id, 100, _markup(SHOWN), "")
        assert [await pages.find(chat_id) is not None for chat_id in (1, 2, 3)] == [
            False,
            True,
            True,
        ]


def test_a_page_of_an_earlier_version_is_known_by_its_buttons() -> None:
    listen = ListenButton(result_id="1", view_code="f", transpose_semitones=0)
    assert read_buttons(_markup("r:1:l:0", listen)) == (listen, None)
    assert read_buttons(_markup("r:1:l:0")) is None
    assert read_buttons(None) is None


async def test_a_page_that_cannot_be_noted_is_no_failure(tmp_path: Path) -> None:
    """It was sent: words about it have to reply to it."""
    path = tmp_path / "bot.sqlite3"
    with SqlitePages(path) as pages, closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE pages")
        await pages.note(7, 100, _markup(SHOWN), "Lied")
