"""Recordings, and the button that cancels a transcription."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramAPIError
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from bot.buttons import CancelButton
from bot.client.types import Preset
from bot.hearing import Hearing
from bot.i18n import Translator
from bot.jobs import CancelAnswer, Jobs
from bot.presets import read_preset
from bot.recordings import message_key, recording_of
from bot.request import Request
from bot.sources import AudioSource, find_source
from bot.transcriber import Transcriber


async def has_audio(message: Message) -> dict[str, Any] | bool:
    """Filter for messages with audio, which the handler gets as ``source``."""
    source = find_source(message)
    return {"source": source} if source is not None else False


async def on_score(
    message: Message,
    command: CommandObject,
    request: Request,
    hearing: Hearing,
    transcriber: Transcriber,
) -> None:
    """``/score [what it is]`` as the caption of audio, or in reply to audio, to a page or to an
    earlier command.
    """
    words = (command.args or "").strip()
    preset = read_preset(words) if words else Preset.AUTO
    if preset is None:
        await request.say(request.t("hear.words", word=words[:50]))
        return
    replied = message.reply_to_message
    source = recording_of(message)
    if source is None and replied is not None:
        source = await hearing.find(replied, request.id)
    if source is None:
        await request.say(request.t("score.how"))
        return
    # The page is to reply to the recording, from where its buttons find it again.
    is_there = replied is not None and find_source(replied) is not None
    place = request.beside(replied) if is_there else request
    await transcriber.answer(place, message_key(message), source, preset)


async def on_audio(
    message: Message, source: AudioSource, request: Request, transcriber: Transcriber
) -> None:
    """Audio of any kind, sent or forwarded to the bot; its caption may say what it is."""
    preset = read_preset(message.caption or "") or Preset.AUTO
    await transcriber.answer(request, message_key(message), source, preset)


async def on_cancel(
    callback: CallbackQuery, callback_data: CancelButton, jobs: Jobs, t: Translator
) -> None:
    """The cancel button: works while the job runs, for the person who asked."""
    match await jobs.cancel(callback_data.job_id, callback.from_user.id):
        case CancelAnswer.STOPPED:
            await callback.answer(t("cancel.stopped"))
        case CancelAnswer.NOT_YOURS:
            await callback.answer(t("cancel.not_yours"), show_alert=True)
        case CancelAnswer.NOT_RUNNING:
            await callback.answer(t("cancel.not_running"), show_alert=True)
            if isinstance(callback.message, Message):
                with suppress(TelegramAPIError):
                    await callback.message.delete()


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="audio")
    router.message.register(on_score, Command("score"))
    # In groups the bot transcribes only what /score asks for.
    router.message.register(on_audio, F.chat.type == ChatType.PRIVATE, has_audio)
    router.callback_query.register(on_cancel, CancelButton.filter())
    return router
