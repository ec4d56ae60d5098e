"""Puts the practice page together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.i18n import TextCatalogues
from bot.practice.api import Api
from bot.practice.desk import Desk
from bot.practice.door import Door
from bot.practice.invitation import Invitations
from bot.practice.links import LinkSigner
from bot.practice.saving import OfflinePage
from bot.practice.site import PracticeSite
from bot.practice.store import SqliteHeads, SqliteRevocations, SqliteSecret


@dataclass(frozen=True, slots=True)
class Practice:
    """What the bot knows of the practice page.

    Parameters
    ----------
    heads : SqliteHeads
    revocations : SqliteRevocations
    site : PracticeSite or None
        None if the page is not served.
    invitations : Invitations or None
        None if no page has a button.
    """

    heads: SqliteHeads
    revocations: SqliteRevocations
    site: PracticeSite | None = None
    invitations: Invitations | None = None

    def open(self, bot_token: str, desk: Desk, catalogues: TextCatalogues) -> None:
        """Answer the page's calls from now on, if it is served."""
        if self.site is not None and self.invitations is not None:
            door = Door(self.invitations.signer, self.revocations, bot_token)
            self.site.open(Api(door, desk, catalogues, OfflinePage(self.site.built)))

    def close(self) -> None:
        """Answer no more calls."""
        if self.site is not None:
            self.site.close()


@contextmanager
def open_practice(
    path: Path | None,
    bot_token: str,
    link_max_age_s: float,
    site: PracticeSite | None = None,
    base_url: str | None = None,
    *,
    in_mini_app: bool = False,
) -> Iterator[Practice]:
    """Open what the bot knows of the page, until the context ends.

    Parameters
    ----------
    path : Path or None
        The bot's file; None keeps everything in memory.
    bot_token : str
    link_max_age_s : float
    site : PracticeSite or None
    base_url : str or None
        The address under which ``practice/`` is reached; None: from nowhere.
    in_mini_app : bool
        Whether private chats open it as a Mini App.

    Raises
    ------
    OSError, sqlite3.Error
        If the file cannot be opened.
    """
    with SqliteHeads(path) as heads, SqliteRevocations(path) as revocations:
        if site is None or base_url is None:
            yield Practice(heads, revocations)
            return
        with SqliteSecret(path) as secret:
            signer = LinkSigner(bot_token, secret.get(), link_max_age_s)
        base_url = base_url if base_url.endswith("/") else f"{base_url}/"
        yield Practice(heads, revocations, site, Invitations(signer, base_url, in_mini_app))
