"""The button that lets a result go on, and those for going on otherwise."""

from __future__ import annotations

from aiogram import Bot, Router
from aiogram.enums import ChatAction
from aiogram.types import CallbackQuery, Message
from aiogram.utils.chat_action import ChatActionSender

from bot.client import (
    Artifact,
    ContinueOptions,
    Format,
    RenderOptions,
    Result,
    ServiceClient,
    collect,
)
from bot.delivery import Target, send_continuation, shown_title
from bot.errors import PREVIEW_UNAVAILABLE, ServiceError
from bot.handlers.answers import ignore, name_buttons, tell
from bot.i18n import Translator
from bot.jobs import Jobs
from bot.keyboards import BOLDNESS_STEPS, ContinueButton
from bot.settings import BotSettings

WRITTEN = (Format.PNG, Format.MIDI)
"""What a chat is sent, beside the sound where the service can play."""


async def on_continue(
    callback: CallbackQuery,
    callback_data: ContinueButton,
    bot: Bot,
    client: ServiceClient,
    settings: BotSettings,
    jobs: Jobs,
    request_id: str,
    t: Translator,
) -> None:
    """The music, some measures on: pages, MIDI, sound, and buttons for other ones."""
    if not callback_data.is_sound:
        await callback.answer(t("unknown.button"))
        return
    target = Target.beside(callback)
    with jobs.slot(name_buttons(callback), 1) as free:
        if not free:
            await callback.answer(t("result.busy"))
            return
        await callback.answer(t("result.continuing"))
        title = shown_title(callback.message) if isinstance(callback.message, Message) else ""
        async with ChatActionSender(
            bot=bot,
            chat_id=target.chat_id,
            message_thread_id=target.thread_id,
            action=ChatAction.UPLOAD_PHOTO,
        ):
            try:
                options = ContinueOptions(
                    callback_data.measures,
                    callback_data.seed,
                    callback_data.boldness / BOLDNESS_STEPS,
                    RenderOptions(title=title, paper=settings.paper),
                )
                _, files = await _ask(client, callback_data.result_id, options, request_id)
            except ServiceError as error:
                await tell(callback, target, error, request_id, bot, t)
                return
            await send_continuation(bot, target, callback_data, files, title, t)


async def _ask(
    client: ServiceClient, result_id: str, options: ContinueOptions, request_id: str
) -> tuple[Result, list[Artifact]]:
    """Ask for the sound, too, and without it where the service cannot play."""
    for formats in ((*WRITTEN, Format.PREVIEW), WRITTEN):
        wanted = options.written_as(formats)
        try:
            events = client.continue_music(result_id, wanted, request_id=request_id)
            return await collect(events, ignore)
        except ServiceError as error:
            if error.code != PREVIEW_UNAVAILABLE or formats == WRITTEN:
                raise
    raise AssertionError("the second round returns or raises")


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="continuation")
    router.callback_query.register(on_continue, ContinueButton.filter(), flags={"job": True})
    return router
