"""The bot's use case: a recording in a message becomes a score in reply, or words why not."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from aiogram import Bot
from aiogram.types import Message

from bot.client import (
    Artifact,
    Preset,
    Progress,
    Queued,
    RenderOptions,
    Result,
    ServiceClient,
    collect,
)
from bot.delivery import Target, deliver
from bot.errors import INTERNAL, BotError, SourceError
from bot.flood import FloodControl
from bot.i18n import Translator
from bot.jobs import Jobs, JobStoppedError
from bot.keyboards import cancel_keyboard
from bot.settings import BotSettings
from bot.sources import AudioSource, check_limits, download
from bot.status import StatusMessage
from bot.views import error_text, progress_text, queued_text, stopped_text

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Transcriber:
    """Everything that answering a recording takes, but for the message itself."""

    settings: BotSettings
    client: ServiceClient
    jobs: Jobs
    flood: FloodControl

    async def answer(
        self,
        bot: Bot,
        message: Message,
        source: AudioSource,
        preset: Preset,
        request_id: str,
        t: Translator,
    ) -> None:
        """Check, download, transcribe, deliver; whatever happens, the person is told."""
        settings = self.settings
        try:
            check_limits(
                source,
                max_bytes=settings.download_limit_bytes,
                max_duration_s=settings.max_duration_s,
            )
        except SourceError as error:
            self.jobs.outcomes[error.code] += 1
            await message.reply(error_text(error, t))
            return
        status = await StatusMessage.send(
            message,
            t("status.downloading"),
            cancel_keyboard(request_id, t),
            self.flood.interval_s(message.chat.id),
        )
        title = source.title or t("title.recording")
        requester_id = message.from_user.id if message.from_user is not None else message.chat.id
        work = self._hear(bot, source, preset, title, status, request_id, t)
        started_s = time.monotonic()
        outcome = "done"
        try:
            result, artifacts = await self.jobs.run(request_id, requester_id, work)
            status.show(t("status.delivering"))
            await deliver(bot, Target.reply(message), result, artifacts, title, t)
        except JobStoppedError as stop:
            outcome = stop.reason.name.lower()
            await status.finish(stopped_text(stop.reason, t))
        except BotError as error:
            outcome = error.code
            await status.finish(error_text(error, t, request_id))
        except Exception:
            outcome = INTERNAL
            logger.exception("transcription failed")
            await status.finish(error_text(BotError(INTERNAL), t, request_id))
        else:
            await status.remove()
        finally:
            await status.close()
            self.jobs.outcomes[outcome] += 1
            logger.info("job", outcome=outcome, seconds=round(time.monotonic() - started_s, 3))

    async def _hear(
        self,
        bot: Bot,
        source: AudioSource,
        preset: Preset,
        title: str,
        status: StatusMessage,
        request_id: str,
        t: Translator,
    ) -> tuple[Result, list[Artifact]]:
        """The part that can be cancelled: fetch the audio, and let the service work."""
        audio = await download(bot, source, max_bytes=self.settings.download_limit_bytes)
        status.show(t("status.sent"))
        options = RenderOptions(title=title, paper=self.settings.paper)
        events = self.client.transcribe(
            audio, preset=preset, options=options, request_id=request_id
        )
        return await collect(events, lambda event: status.show(_status_text(event, t)))


def _status_text(event: Queued | Progress, t: Translator) -> str:
    return queued_text(event, t) if isinstance(event, Queued) else progress_text(event, t)
