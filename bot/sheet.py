"""A page of music with its buttons under it, in one message.

A change of what is shown edits that message. An album carries no buttons, so one page is shown at a
time, and further pages are a button away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    Message,
)

from bot.client.types import Artifact
from bot.request import Press, Request
from bot.session import AnswerLostError

_PAGE_NAME: Final = re.compile(r"(?:score|continuation)-(\d+)\.png")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the message holds.

    Parameters
    ----------
    picture : Artifact or None
        The page; None if there is none to show.
    caption : str
        The text under it, in Telegram's HTML.
    keyboard : InlineKeyboardMarkup
    """

    picture: Artifact | None
    caption: str
    keyboard: InlineKeyboardMarkup


def find_page(artifacts: Sequence[Artifact], number: int) -> Artifact | None:
    """Return the page of a number, or else the one before it; None if there are no pages."""
    pages = {
        int(match[1]): artifact
        for artifact in artifacts
        if (match := _PAGE_NAME.fullmatch(artifact.name))
    }
    before = [page for page in pages if page <= number]
    return pages[max(before)] if before else None


async def send_sheet(request: Request, sheet: Sheet) -> None:
    """Send the message.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram does not take it.
    """
    if sheet.picture is None:
        await request.say(sheet.caption, sheet.keyboard)
        return
    with suppress(AnswerLostError):
        await request.bot.send_photo(
            photo=as_upload(sheet.picture),
            caption=sheet.caption,
            reply_markup=sheet.keyboard,
            **request.destination.address,
        )


async def turn_into(press: Press, sheet: Sheet) -> bool:
    """Let the message with the pressed button show another sheet; False if it cannot.

    It cannot if it shows no page, as messages of earlier versions, or if it is gone.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram cannot be reached.
    """
    message = press.callback.message
    if sheet.picture is None or not isinstance(message, Message) or not message.photo:
        return False
    try:
        await press.bot.edit_message_media(
            media=InputMediaPhoto(media=as_upload(sheet.picture), caption=sheet.caption),
            chat_id=message.chat.id,
            message_id=message.message_id,
            reply_markup=sheet.keyboard,
        )
    except TelegramBadRequest as error:
        if "not modified" in error.message:
            return True
        logger.warning("page not edited", error=error.message)
        return False
    return True


def as_upload(artifact: Artifact, name: str | None = None) -> BufferedInputFile:
    """Return a file to upload, under its own name or another."""
    return BufferedInputFile(artifact.data, filename=name or artifact.name)
