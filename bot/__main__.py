"""The composition root: settings, then the dispatcher, then polling or a webhook.

With ``BOT_TOKEN``, ``python -m bot`` talks to Telegram. Without one it serves the embedded chat
page and prints its address. On SIGTERM or SIGINT the bot takes no more updates, gives running
requests ``BOT_DRAIN_S`` to finish, and notifies the people whose requests did not.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from aiogram import Bot, Dispatcher
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import TelegramAPIError
from aiogram.types import Update
from aiogram.utils.token import TokenValidationError
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web
from pydantic import SecretStr, ValidationError

from bot.client.calls import ServiceClient
from bot.coordination import Alone, Coordination
from bot.dispatcher import build_bot, build_dispatcher, build_flood_control
from bot.i18n import load_catalogues
from bot.intake import Intake
from bot.localchat.server import serve_localchat
from bot.logs import configure_logging, redact
from bot.practice.assembly import build_practice
from bot.practice.built import Built
from bot.practice.site import PracticeSite
from bot.retries import Retries
from bot.session import BotSession
from bot.settings import BotSettings, split_address
from bot.stores import Stores, open_stores
from bot.traces import install_traces

EXIT_FAILED: Final = 1
EXIT_MISCONFIGURED: Final = 2

logger = structlog.get_logger(__name__)


def main() -> None:
    """Run until a signal to stop; exit with 2 on wrong settings, 1 if the bot cannot start."""
    try:
        settings = BotSettings()
    except ValidationError as error:
        sys.exit(_complain(f"wrong settings: {error}", EXIT_MISCONFIGURED))
    configure_logging(settings.log_level)
    try:
        asyncio.run(serve(settings))
    except TokenValidationError:
        sys.exit(_complain("BOT_TOKEN is not a bot's token", EXIT_MISCONFIGURED))
    except (TelegramAPIError, OSError, sqlite3.Error) as error:
        sys.exit(_complain(f"the bot cannot start: {error}", EXIT_FAILED))


def _complain(text: str, exit_code: int) -> int:
    print(redact(text), file=sys.stderr)
    return exit_code


async def serve(settings: BotSettings) -> None:
    """Run the bot until SIGTERM or SIGINT.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram does not know the token.
    OSError, sqlite3.Error
        If a port is taken, or a file cannot be read or written.
    """
    async with AsyncExitStack() as stack:
        site = PracticeSite(load_catalogues(), Built(), settings.proxies)
        public_url = None if settings.public_url is None else str(settings.public_url)
        if settings.token is None:
            host, port = split_address(settings.localchat_listen)
            chat = await stack.enter_async_context(serve_localchat(host, port, mount=site.mount))
            public_url = public_url or chat.page_url
            settings = settings.model_copy(
                update={"admin_ids": settings.admin_ids | {chat.admin_user_id}}
            )
            token, api = chat.token, TelegramAPIServer.from_base(chat.api_base_url)
            print(chat.page_url, flush=True)
        else:
            token, api = settings.token.get_secret_value(), _api_server(settings)
        coordination, stores = await stack.enter_async_context(open_memory(settings))
        practice = await build_practice(
            stores.heads,
            stores.revocations,
            stores.secret,
            token,
            settings.link_max_age_s,
            site,
            public_url if site.built else None,
            in_mini_app=settings.token is not None,
        )
        if public_url is not None and not site.built:
            logger.warning("no practice page", reason="web/practice is not built")
        client = await stack.enter_async_context(_client(settings))
        flood = build_flood_control(settings, coordination)
        retries = Retries(settings.telegram_patience_s)
        intake = Intake(coordination)
        bot = build_bot(token, BotSession(api=api), flood, retries, intake, stores.pages)
        stack.push_async_callback(bot.session.close)
        dispatcher = build_dispatcher(
            settings,
            client,
            stores.languages,
            flood,
            intake,
            stores.pages,
            stores.recordings,
            stores.results,
            practice,
            coordination,
        )
        if settings.traces_url is not None:
            install_traces(str(settings.traces_url), dispatcher, bot)
        if settings.webhook_url is not None:
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            await serve_webhook(bot, dispatcher, settings, intake, stop, site)
        else:
            if settings.token is not None and practice.invitations is not None:
                await stack.enter_async_context(site.serve(settings.practice_listen))
            await bot.delete_webhook()  # Telegram refuses polling while a webhook is set
            await dispatcher.start_polling(bot, close_bot_session=False)


@asynccontextmanager
async def open_memory(settings: BotSettings) -> AsyncIterator[tuple[Coordination, Stores]]:
    """Open what the bot remembers and agrees upon: its own, or that of several bots of the token.

    Raises
    ------
    OSError, sqlite3.Error
        If the file cannot be opened, or a package of the extra ``shared`` is missing.
    """
    if settings.shared_state_url is None:
        with open_stores(settings.state_path) as stores:
            yield Alone(), stores
        return
    try:
        from bot.shared.coordination import SharedCoordination
        from bot.shared.state import SharedState
        from bot.shared.stores import build_shared_stores
    except ModuleNotFoundError as error:
        raise OSError(
            f"{error.name} is missing; BOT_SHARED_STATE_URL needs the extra `shared`"
        ) from None
    state = SharedState(settings.shared_state_url.get_secret_value())
    coordination = SharedCoordination(state)
    try:
        async with coordination.taking_part():
            yield coordination, build_shared_stores(state, settings.link_max_age_s)
    finally:
        await state.close()


def _api_server(settings: BotSettings) -> TelegramAPIServer:
    if settings.api_server is None:
        return PRODUCTION
    return TelegramAPIServer.from_base(str(settings.api_server), is_local=settings.api_is_local)


def _client(settings: BotSettings) -> ServiceClient:
    return ServiceClient(
        settings.service_address,
        token=_value(settings.service_token),
        admin_token=_value(settings.admin_service_token),
        tls_ca_path=settings.service_tls_ca,
        tls_pair_paths=_pair(settings.service_tls_cert, settings.service_tls_key),
        deadline_s=settings.deadline_s,
    )


def _pair(certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    return None if certificate is None or key is None else (certificate, key)


def _value(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


class _WebhookHandler(SimpleRequestHandler):
    """aiogram's handler, except that it answers once the update's work is accepted.

    Until then Telegram sends the update again, also to another run of the bot. It leaves the
    session open for jobs that still run.
    """

    def __init__(self, dispatcher: Dispatcher, bot: Bot, intake: Intake, secret: str) -> None:
        super().__init__(dispatcher, bot, secret_token=secret)
        self._intake = intake

    def verify_secret(self, telegram_secret_token: str, bot: Bot) -> bool:
        """Compare as bytes: ``compare_digest`` raises on text that is not ASCII."""
        return secrets.compare_digest(
            telegram_secret_token.encode(errors="replace"), str(self.secret_token).encode()
        )

    async def _handle_request_background(self, bot: Bot, request: web.Request) -> web.Response:
        try:
            update = Update.model_validate(await request.json(), context={"bot": bot})
        except (ValueError, LookupError, RecursionError) as error:
            # No JSON or no update, an unknown character set, brackets without end.
            raise web.HTTPBadRequest(text="not an update") from error
        task = asyncio.create_task(self.dispatcher.feed_update(bot, update))
        self._background_feed_update_tasks.add(task)
        task.add_done_callback(self._background_feed_update_tasks.discard)
        if not await self._intake.wait(update.update_id):
            raise web.HTTPServiceUnavailable(text="send it again")
        return web.json_response({})

    async def close(self) -> None:
        """Do nothing; :func:`serve` closes the session."""


async def serve_webhook(
    bot: Bot,
    dispatcher: Dispatcher,
    settings: BotSettings,
    intake: Intake,
    stop: asyncio.Event,
    site: PracticeSite | None = None,
) -> None:
    """Take updates over HTTP until ``stop`` is set, and serve the practice page beside.

    Telegram gets the address and the secret; requests without the secret are refused.
    """
    assert settings.webhook_url is not None
    secret = _value(settings.webhook_secret)
    application = web.Application()
    setup_application(application, dispatcher, bot=bot)
    handler = _WebhookHandler(dispatcher, bot, intake, secret)
    handler.register(application, path=settings.webhook_url.path or "/")
    if site is not None and settings.public_url is not None:
        site.mount(application)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        host, port = split_address(settings.webhook_listen)
        await web.TCPSite(runner, host, port).start()
        await bot.set_webhook(
            str(settings.webhook_url),
            secret_token=secret,
            allowed_updates=dispatcher.resolve_used_update_types(),
        )
        logger.info("webhook set")
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
