"""A recording in, a score out."""

from __future__ import annotations

import time
from typing import Any

import structlog
from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

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
from bot.jobs import CancelAnswer, Jobs, JobStoppedError
from bot.keyboards import CancelButton, cancel_keyboard
from bot.settings import BotSettings
from bot.sources import AudioSource, check_limits, download, find_replied_source, find_source
from bot.status import StatusMessage
from bot.views import error_text, progress_text, queued_text, stopped_text

logger = structlog.get_logger(__name__)


async def has_audio(message: Message) -> dict[str, Any] | bool:
    """A filter: the message itself holds audio, given to the handler as ``source``."""
    source = find_source(message)
    return {"source": source} if source is not None else False


async def on_score(message: Message, command: CommandObject, t: Translator, **data: Any) -> None:
    """``/score [voice|piano|song]`` in reply to audio, or as the caption of audio."""
    source = find_source(message) or find_replied_source(message)
    if source is None:
        await message.reply(t("score.how"))
        return
    word = (command.args or "").strip().lower()
    preset = Preset(word) if word in set(Preset) else Preset.AUTO
    await _transcribe(message, source, preset, t=t, **data)


async def on_audio(message: Message, source: AudioSource, t: Translator, **data: Any) -> None:
    """Audio of any kind, sent or forwarded to the bot."""
    await _transcribe(message, source, Preset.AUTO, t=t, **data)


async def on_cancel(
    callback: CallbackQuery, callback_data: CancelButton, jobs: Jobs, t: Translator
) -> None:
    """The cancel button: works for the person who asked, while the job runs."""
    answer = jobs.cancel(callback_data.job_id, callback.from_user.id)
    match answer:
        case CancelAnswer.STOPPED:
            await callback.answer(t("cancel.stopped"))
        case CancelAnswer.NOT_YOURS:
            await callback.answer(t("cancel.not_yours"), show_alert=True)
        case CancelAnswer.NOT_RUNNING:
            await callback.answer(t("cancel.not_running"), show_alert=True)


async def _transcribe(
    message: Message,
    source: AudioSource,
    preset: Preset,
    *,
    bot: Bot,
    client: ServiceClient,
    settings: BotSettings,
    jobs: Jobs,
    flood: FloodControl,
    request_id: str,
    t: Translator,
    **_: Any,
) -> None:
    """Check, download, transcribe, deliver; whatever happens, the person is told."""
    try:
        check_limits(
            source,
            max_bytes=settings.download_limit_bytes,
            max_duration_s=settings.max_duration_s,
        )
    except SourceError as error:
        jobs.outcomes[error.code] += 1
        await message.reply(error_text(error, t))
        return
    title = source.title or t("title.recording")
    status = await StatusMessage.send(
        message,
        t("status.downloading"),
        cancel_keyboard(request_id, t),
        flood.interval_s(message.chat.id),
    )

    async def work() -> tuple[Result, list[Artifact]]:
        audio = await download(bot, source, max_bytes=settings.download_limit_bytes)
        status.show(t("status.sent"))
        events = client.transcribe(
            audio, preset=preset, options=RenderOptions(title=title), request_id=request_id
        )
        return await collect(events, lambda event: status.show(_status_text(event, t)))

    requester_id = message.from_user.id if message.from_user is not None else message.chat.id
    started_s = time.monotonic()
    outcome = "done"
    try:
        result, artifacts = await jobs.run(request_id, requester_id, work())
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
        jobs.outcomes[outcome] += 1
        logger.info("job", outcome=outcome, seconds=round(time.monotonic() - started_s, 3))


def _status_text(event: Queued | Progress, t: Translator) -> str:
    return queued_text(event, t) if isinstance(event, Queued) else progress_text(event, t)


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="audio")
    router.message.register(on_score, Command("score"), flags={"job": True})
    # In a group the bot takes nothing that it was not asked to take.
    router.message.register(
        on_audio, F.chat.type == ChatType.PRIVATE, has_audio, flags={"job": True}
    )
    router.callback_query.register(on_cancel, CancelButton.filter())
    return router
