"""Who may look: a link, and inside Telegram also Telegram's word for who opens it.

Whoever holds the link of a group, or one that was made for any browser, may use it, as with a link
to a shared document. The link of a Mini App is of use to the person alone that it was made for:
somebody else's init data are refused, and so is a request without any.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from bot.errors import BotError, BotErrorCode
from bot.practice.init_data import InitDataError, read_person_id
from bot.practice.links import Link, LinkError, LinkSigner
from bot.practice.store import RevocationStore

SCHEME: Final = "Practice "
INIT_DATA: Final = "X-Telegram-Init-Data"


class Door:
    """Lets in who has a right to.

    Parameters
    ----------
    signer : LinkSigner
    revocations : RevocationStore
    bot_token : str
    now_s : callable
        The time since the epoch.
    """

    def __init__(
        self,
        signer: LinkSigner,
        revocations: RevocationStore,
        bot_token: str,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._signer = signer
        self._revocations = revocations
        self._bot_token = bot_token
        self._now_s = now_s

    async def admit(self, headers: Mapping[str, str]) -> Link:
        """Return the link with which a request comes.

        Raises
        ------
        BotError
            ``LINK_INVALID`` or ``LINK_NOT_YOURS``.
        """
        token = headers.get("Authorization", "")
        if not token.startswith(SCHEME):
            raise BotError(BotErrorCode.LINK_INVALID)
        try:
            link = self._signer.read(token.removeprefix(SCHEME))
            init_data = headers.get(INIT_DATA)
            if init_data is not None:
                person_id = read_person_id(init_data, self._bot_token, self._now_s())
            elif link.in_telegram:
                raise InitDataError("missing")
            else:
                person_id = link.person_id
        except (LinkError, InitDataError) as error:
            raise BotError(BotErrorCode.LINK_INVALID) from error
        if await self._revocations.is_revoked(link):
            raise BotError(BotErrorCode.LINK_INVALID)
        if link.is_private and person_id != link.person_id:
            raise BotError(BotErrorCode.LINK_NOT_YOURS)
        return link
