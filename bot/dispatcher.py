"""Assembles the dispatcher, for production and tests alike."""

from __future__ import annotations

from typing import Final

import structlog
from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.base import BaseSession
from aiogram.enums import ParseMode

from bot.attendant import Attendant
from bot.client.calls import ServiceClient
from bot.commands import register_commands
from bot.continuer import Continuer
from bot.coordination import Alone, Coordination
from bot.fixer import Fixer
from bot.flood import FloodControl
from bot.forgetting import Forgetting
from bot.handlers import admin, audio, errors, fallback, fix, hearing, result, start
from bot.hearing import Hearing
from bot.i18n import load_catalogues
from bot.intake import Intake
from bot.jobs import Jobs, RunningUpdates
from bot.languages import Languages, LanguageStore
from bot.latest import PageStore, PageWatch, SqlitePages
from bot.middlewares import InFlightCap, Language, RequestContext, Requests
from bot.practice.assembly import Practice
from bot.practice.desk import Desk
from bot.practice.store import SqliteHeads, SqliteRevocations
from bot.presses import Presses
from bot.recordings import RecordingStore, SqliteRecordings
from bot.recovery import Recovery
from bot.renderer import Renderer
from bot.results import ResultIdStore, SqliteResults
from bot.retries import Retries
from bot.room import Room
from bot.sent import SentFiles
from bot.settings import BotSettings
from bot.transcriber import Transcriber
from bot.turns import Turns

FAREWELL_S: Final = 5.0
"""Time that stopped jobs have to notify the people who asked."""

logger = structlog.get_logger(__name__)


def build_bot(
    token: str,
    session: BaseSession,
    flood: FloodControl,
    retries: Retries | None = None,
    intake: Intake | None = None,
    pages: PageStore | None = None,
) -> Bot:
    """Build a bot that writes HTML, keeps flood limits, repeats what failed on the way, notes the
    pages that it shows, and sends replies to deleted messages.
    """
    if pages is not None:
        session.middleware(PageWatch(pages))
    if intake is not None:
        session.middleware(intake)
    if retries is not None:
        session.middleware(retries)  # the outer one: a repeated request waits for its turn, too
    session.middleware(flood)
    return Bot(
        token,
        session=session,
        default=DefaultBotProperties(
            parse_mode=ParseMode.HTML,
            link_preview_is_disabled=True,
            allow_sending_without_reply=True,
        ),
    )


def build_flood_control(
    settings: BotSettings, coordination: Coordination | None = None
) -> FloodControl:
    """Build flood control from the settings."""
    return FloodControl(settings.chat_interval_s, settings.group_interval_s, coordination)


def build_dispatcher(
    settings: BotSettings,
    client: ServiceClient,
    choices: LanguageStore,
    flood: FloodControl,
    intake: Intake | None = None,
    pages: PageStore | None = None,
    recordings: RecordingStore | None = None,
    results: ResultIdStore | None = None,
    practice: Practice | None = None,
    coordination: Coordination | None = None,
) -> Dispatcher:
    """Build the dispatcher with its handlers, middlewares and services.

    On startup it registers the commands, opens the practice page and takes up open jobs. On
    shutdown it waits up to ``settings.drain_s`` for running updates, then stops the rest, which
    notify those who asked.
    """
    catalogues = load_catalogues()
    coordination = coordination or Alone()
    jobs = Jobs(coordination)
    deliveries = Room(settings.max_deliveries)
    attendant = Attendant(jobs, flood, deliveries)
    presses = Presses(jobs, deliveries)
    sent = SentFiles()
    running = RunningUpdates()
    languages = Languages(catalogues, choices)
    pages = pages or SqlitePages()
    recordings = recordings or SqliteRecordings()
    results = results or SqliteResults()
    practice = practice or Practice(SqliteHeads(), SqliteRevocations())
    invitations = practice.invitations
    turns = Turns(settings.per_user_jobs, settings.per_user_waiting, coordination)
    uploads = Room(settings.max_uploads)
    transcriber = Transcriber(settings, client, attendant, uploads, turns, recordings, results)
    recovery = Recovery(
        client,
        transcriber,
        jobs,
        running,
        catalogues,
        invitations,
        has_peers=coordination.is_shared,
    )
    dispatcher = Dispatcher(
        disable_fsm=True,
        settings=settings,
        client=client,
        transcriber=transcriber,
        renderer=Renderer(settings, client, presses, sent),
        continuer=Continuer(settings, client, attendant, presses, sent),
        fixer=Fixer(settings, client, presses),
        pages=pages,
        hearing=Hearing(client, recordings),
        forgetting=Forgetting(
            client,
            choices,
            pages,
            recordings,
            results,
            practice.heads,
            practice.revocations,
            sent,
        ),
        jobs=jobs,
        languages=languages,
    )
    dispatcher.update.outer_middleware(RequestContext(running, intake or Intake()))
    dispatcher.update.outer_middleware(Language(languages))
    for middleware in (Requests(invitations), InFlightCap(jobs, settings.per_user_jobs)):
        dispatcher.message.middleware(middleware)
        dispatcher.callback_query.middleware(middleware)
    dispatcher.include_routers(
        *(
            module.build_router()
            for module in (errors, start, audio, hearing, result, admin, fix, fallback)
        )
    )

    async def on_startup(bot: Bot) -> None:
        await register_commands(bot, catalogues, settings.admin_ids)
        if invitations is not None:
            desk = Desk(
                settings,
                client,
                bot,
                practice.heads,
                invitations,
                jobs,
                running,
                deliveries,
            )
            practice.open(bot.token, desk, catalogues)
        await recovery.start(bot)

    async def on_shutdown() -> None:
        recovery.stop()
        practice.close()
        await drain(running, jobs, settings.drain_s)

    dispatcher.startup.register(on_startup)
    dispatcher.shutdown.register(on_shutdown)
    return dispatcher


async def drain(running: RunningUpdates, jobs: Jobs, drain_s: float) -> None:
    """Wait for running updates; stop those that take longer, and let them send their notices."""
    if await running.wait(drain_s):
        return
    logger.warning("stopping what still runs", jobs=len(jobs))
    jobs.stop_all()
    if not await running.wait(FAREWELL_S):
        running.cancel()
