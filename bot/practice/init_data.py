"""Telegram's word for who opens a Mini App.

The client hands the page a query string that Telegram's server has signed with the bot's token:
https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app. aiogram checks the
signature, here are the limits of size and age.
"""

from __future__ import annotations

import time
from typing import Final

from aiogram.utils.web_app import safe_parse_webapp_init_data

MAX_AGE_S: Final = 24 * 3600.0
"""A page may stay open for this long; the data are those of the moment when it was opened."""
MAX_CHARS: Final = 4096
MAX_AHEAD_S: Final = 300.0
"""How far Telegram's clock may be ahead of ours."""


class InitDataError(Exception):
    """The data are not Telegram's, or too old."""


def read_person_id(init_data: str, bot_token: str, now_s: float | None = None) -> int:
    """Return the Telegram id of the person who opened the page.

    Raises
    ------
    InitDataError
        If the data were not signed with this bot's token, are older than :data:`MAX_AGE_S`, or name
        nobody.
    """
    now_s = time.time() if now_s is None else now_s
    if len(init_data) > MAX_CHARS:
        raise InitDataError("too long")
    try:
        data = safe_parse_webapp_init_data(bot_token, init_data)
        age_s = now_s - data.auth_date.timestamp()
    # TypeError: a hash that is not ASCII; OverflowError: a date beyond the calendar;
    # RecursionError: brackets without end.
    except (ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise InitDataError("not signed by Telegram") from error
    if not -MAX_AHEAD_S <= age_s <= MAX_AGE_S:
        raise InitDataError("too old")
    if data.user is None:
        raise InitDataError("without a person")
    return data.user.id
