"""Assembles the local chat: one HTTP server for the bot and for the page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from bot.localchat.chat import Person
from bot.localchat.flood import TELEGRAM_LIKE, FloodLimit
from bot.localchat.guard import Guard
from bot.localchat.hub import Hub
from bot.localchat.methods import BotApi
from bot.localchat.page import LANGUAGES, Page
from bot.localchat.webhook import Webhook

FILE_BUDGET_BYTES = 256 * 1024 * 1024
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})
_SHUTDOWN_S = 2.0


@dataclass(frozen=True)
class LocalChat:
    """The addresses and credentials of a running local chat.

    Attributes
    ----------
    page_url : str
        Address of the chat page.
    api_base_url : str
        The Bot API, for ``TelegramAPIServer.from_base``.
    token : str
        The bot's token, new in every run.
    admin_user_id : int
        Id of the person who is meant to be the bot's administrator.
    """

    page_url: str
    api_base_url: str
    token: str
    admin_user_id: int


@asynccontextmanager
async def serve_localchat(
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    admin_user_id: int = 1,
    guest_user_id: int = 2,
    language: str = "en",
    flood_limit: FloodLimit | None = TELEGRAM_LIKE,
    file_budget_bytes: int = FILE_BUDGET_BYTES,
    allowed_hosts: Collection[str] = (),
    mount: Callable[[web.Application], None] | None = None,
) -> AsyncIterator[LocalChat]:
    """Serve the Bot API and the chat page until the context ends.

    Parameters
    ----------
    host : str
        Address to listen on. The page has no passwords: beyond loopback, anyone who reaches the
        port can act as either person.
    port : int
        Port to listen on; 0 takes a free one.
    admin_user_id, guest_user_id : int
        Telegram ids of the two people of the page.
    language : str
        ``"en"`` or ``"ru"``: the people's language until the page changes it.
    flood_limit : FloodLimit or None
        Flood control for the bot; ``None`` for none.
    file_budget_bytes : int
        Maximum size of all files in memory; beyond it the oldest are dropped.
    allowed_hosts : collection of str
        Further host names that browsers may use, besides loopback and `host`.
    mount : callable, optional
        Adds further routes to the server.

    Yields
    ------
    LocalChat
        The addresses and the token.

    Raises
    ------
    OSError
        If the port is taken.
    ValueError
        If the two ids are equal or not positive, or the language is unknown.
    """
    if admin_user_id == guest_user_id or min(admin_user_id, guest_user_id) <= 0:
        raise ValueError("the people of the chat need two different positive ids")
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}")
    people = [
        Person(admin_user_id, "Clara", is_administrator=True, language_code=language),
        Person(guest_user_id, "Robert", is_administrator=False, language_code=language),
    ]
    hub = Hub(people, flood_limit, file_budget_bytes)
    webhook = Webhook(hub)
    named_host = () if host in _WILDCARDS else (host,)
    guard = Guard((*_LOOPBACK_NAMES, *named_host, *allowed_hosts))

    app = web.Application(middlewares=[guard.middleware])
    app.add_routes(BotApi(hub, webhook).routes())
    app.add_routes(Page(hub, guard).routes())
    if mount is not None:
        mount(app)
    # No access log: its lines would hold the token and the page's key.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        url = _url(host, runner.addresses[0][1])
        yield LocalChat(
            page_url=f"{url}/", api_base_url=url, token=hub.token, admin_user_id=admin_user_id
        )
    finally:
        hub.close()
        await webhook.close()
        await runner.cleanup()


def _url(host: str, port: int) -> str:
    reachable = "127.0.0.1" if host in _WILDCARDS else host
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
