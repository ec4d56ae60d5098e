"""What the extra buttons have sent: a second tap on one points to it.

This is known until the bot restarts. Then the button sends it again, as it does if it has been
deleted from the chat.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from aiogram.exceptions import TelegramBadRequest
from aiogram.types import ReplyParameters

from bot.buttons import RenderButton
from bot.request import Press
from bot.session import AnswerLostError

MAX_SENT: Final = 10_000


class SentFiles:
    """Messages with files, sounds and pictures, by the button that asked for them.

    Parameters
    ----------
    limit : int
        Number of messages; the oldest are forgotten.
    """

    def __init__(self, limit: int = MAX_SENT) -> None:
        self._limit = limit
        self._messages: OrderedDict[tuple[int, str], int] = OrderedDict()

    def note(self, press: Press, button: RenderButton, message_id: int | None) -> None:
        """Note the message with a button's files; None if its id is not known."""
        if message_id is None:
            return
        self._messages[_key(press, button)] = message_id
        while len(self._messages) > self._limit:
            self._messages.popitem(last=False)

    def forget(self, chat_id: int) -> None:
        """Forget what was sent to a chat."""
        for key in [key for key in self._messages if key[0] == chat_id]:
            del self._messages[key]

    async def point(self, press: Press, button: RenderButton) -> bool:
        """Say where a button's files are; False if they were not sent, or are gone.

        Raises
        ------
        aiogram.exceptions.TelegramAPIError
            If Telegram cannot be reached.
        """
        message_id = self._messages.get(_key(press, button))
        if message_id is None:
            return False
        reply = ReplyParameters(message_id=message_id, allow_sending_without_reply=False)
        try:
            await press.bot.send_message(
                text=press.t("result.sent"), reply_parameters=reply, **press.destination.place
            )
        except TelegramBadRequest:  # the files were deleted
            del self._messages[_key(press, button)]
            return False
        except AnswerLostError:
            return True
        return True


def _key(press: Press, button: RenderButton) -> tuple[int, str]:
    return press.destination.chat_id, button.pack()
