"""Transcribe the recording in a message: the bot's main task.

A transcription is a job of the service; it outlives the call and the bot. Its key is the message or
the press that asked for it, and its context holds what another run of the bot needs to go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError

from bot.attendant import Attendant, report
from bot.client.calls import ServiceClient, read_result
from bot.client.types import Accepted, Artifact, Event, Preset, Queued, RenderOptions, Result
from bot.delivery import Shown, deliver
from bot.download import Download
from bot.errors import BotError, BotErrorCode, ServiceError, ServiceErrorCode, SourceError
from bot.jobs import Stop
from bot.ledger import JobLedger, JobNotes
from bot.recordings import RecordingStore
from bot.request import Request
from bot.results import ResultIdStore
from bot.retries import Patience
from bot.room import Place, Room
from bot.settings import BotSettings
from bot.sources import AudioSource, check_limits
from bot.status import StatusMessage
from bot.turns import Turn, Turns

_PASSING: Final = frozenset(
    {
        BotErrorCode.SERVICE_LOST,
        BotErrorCode.SERVICE_UNREACHABLE,
        ServiceErrorCode.JOB_TAKEN,
        ServiceErrorCode.JOB_UNKNOWN,
        ServiceErrorCode.NOT_READY,
        ServiceErrorCode.QUEUE_FULL,
        ServiceErrorCode.SHUTTING_DOWN,
    }
)
"""Failures that an accepted job survives."""

_AWAY: Final = frozenset(
    {
        BotErrorCode.SERVICE_UNREACHABLE,
        ServiceErrorCode.NOT_READY,
        ServiceErrorCode.SHUTTING_DOWN,
    }
)
"""Failures after which a recording is offered again, as the service may be starting."""

_UNFINISHED: Final = frozenset({Stop.SHUTDOWN.name.lower(), BotErrorCode.DELIVERY_FAILED})
"""Outcomes after which the job stays open."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Transcriber:
    """Answers messages that contain a recording, and goes on with what an earlier run began."""

    settings: BotSettings
    client: ServiceClient
    attendant: Attendant
    uploads: Room
    turns: Turns
    recordings: RecordingStore
    results: ResultIdStore

    async def answer(self, request: Request, key: str, source: AudioSource, preset: Preset) -> None:
        """Check limits, transcribe, and send the score, or why there is none.

        ``key`` names the job; the service accepts each once.

        The recording is read from Telegram only as fast as the service takes it, and only once the
        service has accepted the job.
        """
        try:
            check_limits(
                source,
                max_bytes=self.settings.download_limit_bytes,
                max_duration_s=self.settings.max_duration_s,
            )
        except SourceError as error:
            await self._refuse(request, error)
            return
        place = request.destination
        notes = JobNotes(
            place.chat_id,
            place.thread_id,
            place.reply_to_id,
            request.person_id,
            request.t.language,
            source.file_id,
            source.title,
            source.size_bytes,
            preset,
        )
        async with (
            self.attendant.jobs.claim(key) as is_mine,
            self.turns.join(request.person_id) as turn,
        ):
            if not is_mine:
                return
            if turn is None:
                await self._refuse(request, BotError(BotErrorCode.TOO_MANY_JOBS))
                return
            run = self._run(request, key, notes, turn)
            async with aclosing(run.events(is_accepted=False, is_uploaded=False)) as events:
                if await self._accept(run, events):
                    await self.recordings.note(key, source)
                    await self._bring_to_its_end(run, events)

    async def go_on(
        self, request: Request, key: str, notes: JobNotes, *, is_uploaded: bool
    ) -> None:
        """Go on with a job that is open, unless somebody is about it."""
        async with (
            self.attendant.jobs.claim(key) as is_mine,
            self.turns.join(request.person_id, beyond_limit=True) as turn,
        ):
            if not is_mine or turn is None:
                return
            run = self._run(request, key, notes, turn)
            async with aclosing(run.events(is_accepted=True, is_uploaded=is_uploaded)) as events:
                await self._bring_to_its_end(run, events)

    def _run(self, request: Request, key: str, notes: JobNotes, turn: Turn) -> _Run:
        ledger = JobLedger(self.client.jobs, str(request.bot.id), key, notes, request.id)
        return _Run(self, request, ledger, turn)

    async def _bring_to_its_end(self, run: _Run, events: AsyncGenerator[Event]) -> None:
        """Attend to an accepted job and close it, unless it is to be taken up again."""
        try:
            outcome = await run.attend(events)
        except (TelegramForbiddenError, TelegramBadRequest) as error:
            logger.info("job", outcome="blocked", error=type(error).__name__)
        else:
            if outcome in _UNFINISHED:
                return
        await self.attendant.jobs.finish(run.ledger.key)
        await run.ledger.close()

    async def _accept(self, run: _Run, events: AsyncGenerator[Event]) -> bool:
        """Wait until the service has accepted the job; say so if it does not."""
        request = run.request
        try:
            event = await anext(events)
        except ServiceError as error:
            if error.code == ServiceErrorCode.JOB_TAKEN:
                logger.info("job dropped", reason="it was accepted before")
            else:
                await self._refuse(request, error)
            return False
        finally:
            await run.remove_notice()
        assert isinstance(event, Accepted)
        run.ledger.adopt(event.context)
        request.settle()
        return True

    async def _refuse(self, request: Request, error: BotError) -> None:
        self.attendant.jobs.outcomes[error.code] += 1
        logger.info("job", outcome=error.code)
        await request.say(request.explain(error))


class _Run:
    """One job, from its acceptance to its delivery.

    Parameters
    ----------
    transcriber : Transcriber
    request : Request
    ledger : JobLedger
    turn : Turn
        When an upload may begin.
    """

    def __init__(
        self, transcriber: Transcriber, request: Request, ledger: JobLedger, turn: Turn
    ) -> None:
        self._transcriber = transcriber
        self.request = request
        self.ledger = ledger
        self._turn = turn
        self._title = ledger.notes.title or request.t("title.recording")
        notes = ledger.notes
        self._source = AudioSource(notes.file_id, notes.title, notes.size_bytes, None)
        self._status: StatusMessage | None = None
        self._notice: StatusMessage | None = None
        self._announced = asyncio.Event()

    async def events(self, *, is_accepted: bool, is_uploaded: bool) -> AsyncGenerator[Event]:
        """Yield the job's events; go on after the service was lost.

        Until it is accepted, the job is offered for ``service_patience_s``.

        If the person has other recordings in work, the call ends as soon as the job is accepted and
        so written down. The upload follows in another call when it is this one's turn.

        Raises
        ------
        ServiceError
            If the service refuses the job, if the job failed, or if the service stays away.
        """
        start = self._attach if is_uploaded else self._submit
        has_files = False
        patience: Patience | None = None
        while True:
            if is_accepted and start == self._submit:
                async for ahead in self._turn.wait():
                    yield Queued(ahead)
            try:
                async with aclosing(start()) as events:
                    async for event in events:
                        has_files |= isinstance(event, Artifact)
                        # An upload may break off each time after it was accepted.
                        if not is_accepted or not isinstance(event, Accepted):
                            patience = None
                        is_accepted = True
                        yield event
                        if isinstance(event, Accepted) and await self._turn.ahead():
                            break
                    else:
                        return
                continue
            except ServiceError as error:
                # With files, it is not the work that was late, but this bot: it was still
                # delivering others, and did not read.
                was_unread = has_files and error.code == ServiceErrorCode.DEADLINE_EXCEEDED
                if not (was_unread or error.code in (_PASSING if is_accepted else _AWAY)):
                    raise
                if is_accepted:
                    start = self._way_on(error)
                failure = error.with_traceback(None)
            settings = self._transcriber.settings
            limit_s = settings.deadline_s if is_accepted else settings.service_patience_s
            patience = patience or Patience(limit_s)
            if limit_s and not is_accepted:
                await self._show_notice()
            if self._status is not None:
                self._status.show(self.request.t("status.reconnecting"))
            if not await patience.pause():
                try:
                    raise failure
                finally:
                    del failure  # its traceback refers to this frame
            if is_accepted:
                yield Accepted("", kept=True)  # whatever was received will come again

    async def attend(self, events: AsyncGenerator[Event]) -> str:
        """Show the job's progress and deliver its result; return the outcome."""
        request, attendant, notes = self.request, self._transcriber.attendant, self.ledger.notes
        key = self.ledger.key
        if notes.status_id is None:
            status = await attendant.announce(request, request.t("status.accepted"), key)
            await self.ledger.note_status(status.message_id)
        else:
            words = request.t("status.resumed")
            status = attendant.take_over(request, notes.status_id, words, key)
        self._status = status
        self._announced.set()

        async def hear(place: Place) -> tuple[Result, list[Artifact]]:
            try:
                return await read_result(events, report(status, request.t), place)
            except asyncio.CancelledError:
                if attendant.jobs.stop_reason(key) is Stop.REQUESTER:
                    await attendant.jobs.finish(key)
                    await self.ledger.close(patience_s=0.0)
                raise

        async def send(heard: tuple[Result, list[Artifact]]) -> None:
            admins = self._transcriber.settings.admin_ids
            with_models = request.is_private_with(admins)
            shown = Shown(*heard, self._title, with_models=with_models)
            result_id = shown.result.result_id
            await self._transcriber.recordings.note(result_id, self._source)
            if request.is_private:
                await self._transcriber.results.note(result_id, request.destination.chat_id)
            await deliver(request, shown, self.ledger, status)

        return await attendant.serve(request, status, key, hear, send, survives=True)

    async def _show_notice(self) -> None:
        """Say, once, that the recording waits for the service."""
        if self._notice is None:
            logger.info("recording waits", key=self.ledger.key)
            words = self.request.t("status.away")
            self._notice = await self._transcriber.attendant.notify(self.request, words)

    async def remove_notice(self) -> None:
        """Remove what :meth:`_show_notice` said."""
        if self._notice is not None:
            await self._notice.remove()

    def _way_on(self, error: ServiceError) -> Callable[[], AsyncGenerator[Event]]:
        """How to go on: a job that the service does not have whole is sent again."""
        is_missing = error.code in {ServiceErrorCode.JOB_UNKNOWN, ServiceErrorCode.QUEUE_FULL}
        return self._submit if is_missing else self._attach

    def _attach(self) -> AsyncGenerator[Event]:
        job = self.ledger.context
        return self._transcriber.client.jobs.attach(job.bot, job.key, request_id=self.request.id)

    def _submit(self) -> AsyncGenerator[Event]:
        settings = self._transcriber.settings
        return self._transcriber.client.transcribe(
            self._read,
            preset=self.ledger.notes.preset,
            options=RenderOptions(
                title=self._title,
                paper=settings.paper,
                page=1,
                choose_view=True,
                language=self.request.t.language,
            ),
            job=self.ledger.context,
            request_id=self.request.id,
        )

    async def _read(self) -> AsyncGenerator[bytes]:
        """Read the recording from Telegram, as one of a limited number.

        The status message comes first: what an upload that breaks off leaves must be known.
        """
        await self._announced.wait()
        settings = self._transcriber.settings
        download = Download(
            self.request.bot,
            self._source,
            settings.download_limit_bytes,
            settings.telegram_patience_s,
        )
        async with self._transcriber.uploads.place() as place:
            await place.take()
            async with aclosing(download.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
