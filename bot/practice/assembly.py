"""Puts the practice page together."""

from __future__ import annotations

from dataclasses import dataclass

from bot.i18n import TextCatalogues
from bot.practice.api import Api
from bot.practice.desk import Desk
from bot.practice.door import Door
from bot.practice.invitation import Invitations
from bot.practice.links import LinkSigner
from bot.practice.saving import OfflinePage
from bot.practice.site import PracticeSite
from bot.practice.store import HeadStore, RevocationStore, SecretStore


@dataclass(frozen=True, slots=True)
class Practice:
    """What the bot knows of the practice page.

    Parameters
    ----------
    heads : HeadStore
    revocations : RevocationStore
    site : PracticeSite or None
        None if the page is not served.
    invitations : Invitations or None
        None if no page has a button.
    """

    heads: HeadStore
    revocations: RevocationStore
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


async def build_practice(
    heads: HeadStore,
    revocations: RevocationStore,
    secret: SecretStore,
    bot_token: str,
    link_max_age_s: float,
    site: PracticeSite | None = None,
    base_url: str | None = None,
    *,
    in_mini_app: bool = False,
) -> Practice:
    """Put together what the bot knows of the page.

    Parameters
    ----------
    heads : HeadStore
    revocations : RevocationStore
    secret : SecretStore
        Asked only if the page is served.
    bot_token : str
    link_max_age_s : float
    site : PracticeSite or None
    base_url : str or None
        The address under which ``practice/`` is reached; None: from nowhere.
    in_mini_app : bool
        Whether private chats open it as a Mini App.
    """
    if site is None or base_url is None:
        return Practice(heads, revocations)
    signer = LinkSigner(bot_token, await secret.get(), link_max_age_s)
    base_url = base_url if base_url.endswith("/") else f"{base_url}/"
    return Practice(heads, revocations, site, Invitations(signer, base_url, in_mini_app))
