"""Goes on with the jobs that an earlier run of the bot, or another bot, left open.

The service knows them. They are asked for when the bot starts, before it takes updates, and from
time to time after that: a result that Telegram did not take is delivered later.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Final

import structlog
from aiogram import Bot

from bot.client.calls import ServiceClient
from bot.client.types import JobState, OpenJob
from bot.errors import ServiceError
from bot.i18n import TextCatalogues, Translator
from bot.jobs import Jobs, RunningUpdates
from bot.ledger import decode_notes
from bot.practice.invitation import Invitations
from bot.request import Destination, Request
from bot.transcriber import Transcriber

INTERVAL_S: Final = 30.0
SHARED_INTERVAL_S: Final = 10.0
"""Between two looks for jobs of another bot that has died."""

FIRST_LOOK_S: Final = 5.0

logger = structlog.get_logger(__name__)


class Recovery:
    """Looks for open jobs and works on them.

    Parameters
    ----------
    client : ServiceClient
    transcriber : Transcriber
    jobs : Jobs
    running : RunningUpdates
        A shutdown waits for what is recovered as for what is new.
    catalogues : TextCatalogues
    invitations : Invitations or None
    has_peers : bool
        Whether there may be other bots, whose jobs are taken up sooner.
    """

    def __init__(
        self,
        client: ServiceClient,
        transcriber: Transcriber,
        jobs: Jobs,
        running: RunningUpdates,
        catalogues: TextCatalogues,
        invitations: Invitations | None = None,
        *,
        has_peers: bool = False,
    ) -> None:
        self._has_peers = has_peers
        self._client = client
        self._transcriber = transcriber
        self._jobs = jobs
        self._running = running
        self._catalogues = catalogues
        self._invitations = invitations
        self._looking: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, bot: Bot) -> None:
        """Take up what is open, if the service answers soon; go on looking."""
        try:
            await asyncio.wait_for(self._look(bot), FIRST_LOOK_S)
        except TimeoutError:
            logger.warning("open jobs unknown", reason="the service does not answer")
        self._looking = asyncio.create_task(self._look_again(bot))

    def stop(self) -> None:
        """Look no more; what was taken up goes on."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look_again(self, bot: Bot) -> None:
        while True:
            await asyncio.sleep(SHARED_INTERVAL_S if self._has_peers else INTERVAL_S)
            await self._look(bot)

    async def _look(self, bot: Bot) -> None:
        try:
            jobs = await self._client.jobs.list_open(str(bot.id), request_id=_request_id())
        except ServiceError as error:
            logger.warning("open jobs unknown", reason=error.code)
            return
        for job in jobs:
            if not job.attended and not self._jobs.is_claimed(job.key):
                task = asyncio.create_task(self._take_up(bot, job))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # every task claims its job

    async def _take_up(self, bot: Bot, job: OpenJob) -> None:
        request_id = _request_id()
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            self._running.track(),
        ):
            notes = decode_notes(job.context)
            if notes is None or await self._jobs.is_finished(job.key):
                await self._drop(bot, job.key, request_id)
                return
            logger.info("job taken up", key=job.key, state=job.state)
            request = Request(
                bot,
                Destination(notes.chat_id, notes.thread_id, notes.reply_to_id),
                notes.person_id,
                request_id,
                Translator(self._catalogues, notes.language),
                lambda: None,
                invitations=self._invitations,
            )
            try:
                await self._transcriber.go_on(
                    request, job.key, notes, is_uploaded=job.state is not JobState.UPLOADING
                )
            except Exception:
                logger.exception("job not taken up", key=job.key)

    async def _drop(self, bot: Bot, key: str, request_id: str) -> None:
        """Close a job that is done with, or whose notes cannot be read."""
        try:
            await self._client.jobs.close(str(bot.id), key, request_id=request_id)
        except ServiceError as error:
            logger.warning("job not closed", key=key, code=error.code)


def _request_id() -> str:
    return uuid.uuid4().hex[:16]
