"""A recording of the project's own, for people who have none at hand.

It is `docs/samples/song.ogg`: synthesised, under the project's licence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiogram.types import BufferedInputFile, Message

from bot.request import Request

TITLE: Final = "Auld Lang Syne"
DURATION_S: Final = 21

_PATH: Final = Path(__file__).with_name("sample.ogg")


async def send_sample(request: Request) -> Message:
    """Send the recording.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram does not take it.
    """
    file = BufferedInputFile(_PATH.read_bytes(), filename=f"{TITLE}.ogg")
    return await request.bot.send_audio(
        audio=file, title=TITLE, duration=DURATION_S, **request.destination.place
    )
