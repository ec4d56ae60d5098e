"""The real dispatcher between two test doubles: Telegram, and the service."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from aiogram import Bot, Dispatcher
from aiogram.client.telegram import TelegramAPIServer

from bot.client.calls import ServiceClient
from bot.dispatcher import build_bot, build_dispatcher, build_flood_control
from bot.i18n import TextCatalogues, Translator, load_catalogues
from bot.intake import Intake
from bot.languages import SqliteLanguages
from bot.latest import SqlitePages
from bot.retries import Retries
from bot.session import BotSession
from bot.settings import BotSettings
from tests.bot.botapi import FakeTelegram
from tests.bot.service import FakeService, serve
from tests.bot.telegram import TOKEN, Person, RecordingSession

ADMIN_ID = 99


@dataclass
class Harness:
    """One running bot, and what surrounds it."""

    settings: BotSettings
    session: RecordingSession
    bot: Bot
    dispatcher: Dispatcher
    service: FakeService
    client: ServiceClient
    languages: SqliteLanguages
    pages: SqlitePages
    intake: Intake

    def person(self, user_id: int = 7, **about: Any) -> Person:
        """Someone who talks to the bot."""
        return Person(self.dispatcher, self.bot, user_id, **about)

    def restarted(self) -> Harness:
        """The same bot after a restart: nothing kept but the file of languages and pages."""
        return _assemble(self.settings, self.service, self.client, self.languages, self.pages)


def _assemble(
    settings: BotSettings,
    service: FakeService,
    client: ServiceClient,
    languages: SqliteLanguages,
    pages: SqlitePages,
) -> Harness:
    session = RecordingSession()
    flood, intake = build_flood_control(settings), Intake()
    bot = build_bot(TOKEN, session, flood, intake=intake, pages=pages)
    dispatcher = build_dispatcher(settings, client, languages, flood, intake, pages)
    return Harness(settings, session, bot, dispatcher, service, client, languages, pages, intake)


def build_settings(**changes: Any) -> BotSettings:
    """Settings that do not look at the environment and do not wait."""
    quick = {"chat_interval_s": 0.0, "group_interval_s": 0.0, "admin_ids": {ADMIN_ID}}
    return BotSettings(_env_file=None, **{**quick, **changes})


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    """The Bot API over HTTP."""
    async with FakeTelegram().serve() as fake:
        yield fake


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def polling(
    telegram: FakeTelegram,
    address: str,
    *,
    patience_s: float = 20.0,
    timeout_s: float = 0.5,
    **changes: Any,
) -> AsyncIterator[None]:
    """The bot in this process, polling the double through its own session."""
    settings = build_settings(service_address=address, telegram_patience_s=patience_s, **changes)
    own = BotSession(api=TelegramAPIServer.from_base(telegram.url))
    own.timeout = timeout_s
    flood = build_flood_control(settings)
    intake = Intake()
    bot = build_bot(TOKEN, own, flood, Retries(patience_s), intake)
    async with ServiceClient(address) as client:
        with SqliteLanguages() as languages:
            dispatcher = build_dispatcher(settings, client, languages, flood, intake)
            running = asyncio.create_task(
                dispatcher.start_polling(bot, handle_signals=False, polling_timeout=1)
            )
            try:
                yield
            finally:
                await dispatcher.stop_polling()
                await running


@pytest.fixture
async def service() -> AsyncIterator[tuple[FakeService, str]]:
    """A service double and its address."""
    fake = FakeService()
    async with serve(fake) as address:
        yield fake, address


@pytest.fixture
async def build_harness(
    service: tuple[FakeService, str],
) -> AsyncIterator[Callable[..., Harness]]:
    """Builds a harness with changed settings; ``address`` may name another service."""
    opened: list[Harness] = []
    fake, served_at = service

    def build(*, address: str | None = None, **changes: Any) -> Harness:
        settings = build_settings(service_address=address or served_at, **changes)
        client = ServiceClient(
            settings.service_address, deadline_s=settings.deadline_s, admin_token="admin-secret"
        )
        opened.append(_assemble(settings, fake, client, SqliteLanguages(), SqlitePages()))
        return opened[-1]

    yield build
    for harness in opened:
        await harness.client.close()
        harness.languages.close()
        harness.pages.close()


@pytest.fixture
def harness(build_harness: Callable[..., Harness]) -> Harness:
    """A harness with the usual settings."""
    return build_harness()


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Lets a test configure logging, and puts everything back."""
    root = logging.getLogger()
    before, config = (root.handlers[:], root.level), structlog.get_config()
    yield
    structlog.configure(**config)
    root.handlers[:], root.level = before


@pytest.fixture(scope="session")
def catalogues() -> TextCatalogues:
    """Every language."""
    return load_catalogues()


@pytest.fixture(params=["ru", "en"])
def t(request: pytest.FixtureRequest, catalogues: TextCatalogues) -> Translator:
    """Each language in turn."""
    return Translator(catalogues, request.param)


@pytest.fixture
def english(catalogues: TextCatalogues) -> Translator:
    """English."""
    return Translator(catalogues, "en")


@pytest.fixture
def russian(catalogues: TextCatalogues) -> Translator:
    """Russian."""
    return Translator(catalogues, "ru")
