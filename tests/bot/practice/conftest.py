"""The practice page of a running bot, and a browser's requests to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiogram import Bot, Dispatcher
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.buttons import RenderButton
from bot.client.calls import ServiceClient
from bot.dispatcher import build_bot, build_dispatcher, build_flood_control
from bot.i18n import load_catalogues
from bot.languages import SqliteLanguages
from bot.latest import SqlitePages
from bot.practice.assembly import Practice, build_practice
from bot.practice.built import Built
from bot.practice.site import PracticeSite
from bot.recordings import SqliteRecordings
from bot.stores import open_stores
from tests.bot.conftest import build_settings
from tests.bot.practice.initdata import signed_init_data
from tests.bot.service import FakeService
from tests.bot.telegram import TOKEN, Person, RecordingSession

RESULT_ID = "0123456789ab"
ANN, BOB, GROUP = 7, 8, -100
BANK = bytes(range(256)) * 400
PUBLIC = "https://bot.example/"


@dataclass
class House:
    """A bot with a practice page."""

    service: FakeService
    session: RecordingSession
    bot: Bot
    dispatcher: Dispatcher
    practice: Practice
    pages: SqlitePages
    languages: SqliteLanguages
    recordings: SqliteRecordings
    web: aiohttp.ClientSession
    url: str

    def token(self, **changes: Any) -> str:
        """A link's token: by default one of Ann's, for any browser."""
        assert self.practice.invitations is not None
        shown = RenderButton(
            result_id=changes.pop("result_id", RESULT_ID),
            view_code=changes.pop("view_code", "m"),
            transpose_semitones=changes.pop("transpose", 0),
        )
        about = {"person_id": ANN, "chat_id": ANN, "language": "en", **changes}
        title = str(about.pop("title", "Song"))
        return self.practice.invitations.signer.sign(shown, title, **about)

    def headers(self, token: str | None = None, init_data: str | None = None) -> dict[str, str]:
        """What the page sends with every call."""
        headers = {"Authorization": f"Practice {token or self.token()}"}
        return headers if init_data is None else {**headers, "X-Telegram-Init-Data": init_data}

    async def get(
        self, call: str, token: str | None = None, init_data: str | None = None, **query: str
    ) -> tuple[int, Any]:
        """Make a call; returns the status and the JSON."""
        headers = self.headers(token, init_data)
        async with self.web.get(f"api/{call}", headers=headers, params=query) as answer:
            return answer.status, await answer.json()

    async def post(
        self, call: str, body: dict[str, Any], token: str | None = None, **display: Any
    ) -> tuple[int, Any]:
        """Make a call with a body; returns the status and the JSON."""
        headers = self.headers(token)
        body = {**body, **display}
        async with self.web.post(f"api/{call}", headers=headers, json=body) as answer:
            return answer.status, await answer.json()

    def person(self, person_id: int = ANN, **about: Any) -> Person:
        """Someone who talks to the bot."""
        return Person(self.dispatcher, self.bot, person_id, **about)

    def init_data(self, person_id: int = ANN, **changes: Any) -> str:
        """What Telegram says of who opens the page."""
        return signed_init_data(person_id, **changes)


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """A page as it might be built."""
    files = {
        "index.html": b"<!doctype html><script src=assets/app-0123abcd.js></script>",
        "offline.html": b"<!doctype html><body><!--practice-data--><script>go()</script>",
        "assets/app-0123abcd.js": b"go()",
        "assets/clock.json": b"{}",
        "soundbank/piano.sf3": BANK,
        "secret.txt": b"not for browsers",
    }
    for name, content in files.items():
        path = tmp_path / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Built(tmp_path / "static")


@asynccontextmanager
async def build_house(
    service: tuple[FakeService, str], built: Built, *, in_mini_app: bool = True, **changes: Any
) -> AsyncIterator[House]:
    """The bot in this process, with the page on a port of its own."""
    fake, address = service
    settings = build_settings(service_address=address, **changes)
    catalogues = load_catalogues()
    site = PracticeSite(catalogues, built, settings.proxies)
    session = RecordingSession()
    flood = build_flood_control(settings)
    async with AsyncExitStack() as stack:
        stores = stack.enter_context(open_stores())
        practice = await build_practice(
            stores.heads,
            stores.revocations,
            stores.secret,
            TOKEN,
            settings.link_max_age_s,
            site,
            PUBLIC,
            in_mini_app=in_mini_app,
        )
        pages = stack.enter_context(SqlitePages())
        languages = stack.enter_context(SqliteLanguages())
        recordings = stack.enter_context(SqliteRecordings())
        bot = build_bot(TOKEN, session, flood, pages=pages)
        client = await stack.enter_async_context(ServiceClient(address))
        dispatcher = build_dispatcher(
            settings,
            client,
            languages,
            flood,
            pages=pages,
            recordings=recordings,
            practice=practice,
        )
        at = await stack.enter_async_context(site.serve("127.0.0.1:0"))
        await dispatcher.emit_startup(bot=bot)
        url = f"http://{at}/practice/"
        web = await stack.enter_async_context(aiohttp.ClientSession(base_url=url))
        yield House(
            fake,
            session,
            bot,
            dispatcher,
            practice,
            pages,
            languages,
            recordings,
            web,
            url,
        )
        await dispatcher.emit_shutdown(bot=bot)


@pytest.fixture
async def house(service: tuple[FakeService, str], built: Built) -> AsyncIterator[House]:
    """A bot with a practice page."""
    async with build_house(service, built) as house:
        yield house


def opening(method: Any) -> list[InlineKeyboardButton]:
    """The buttons under a message that open an address."""
    keyboard = method.reply_markup
    assert isinstance(keyboard, InlineKeyboardMarkup)
    return [b for row in keyboard.inline_keyboard for b in row if b.url or b.web_app]


def token_of(button: InlineKeyboardButton) -> str:
    """The token in the address that a button opens."""
    url = button.web_app.url if button.web_app is not None else str(button.url)
    address, _, token = url.partition("#link=")
    assert address == f"{PUBLIC}practice/"
    return token
