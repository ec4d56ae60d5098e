"""The buttons under a result. They work for as long as the service remembers the result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiogram import Bot, Router
from aiogram.enums import ChatAction
from aiogram.exceptions import TelegramAPIError
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message
from aiogram.utils.chat_action import ChatActionSender

from bot.client.calls import ServiceClient, collect
from bot.client.types import CHAT_FORMATS, Format, RenderOptions
from bot.delivery import Target, deliver, send_preview, send_roll, send_stems, shown_title
from bot.errors import ServiceError
from bot.handlers.answers import ignore, name_buttons, tell
from bot.i18n import Translator
from bot.jobs import Jobs
from bot.keyboards import (
    MAX_TRANSPOSITION,
    ChordsButton,
    ListenButton,
    RenderButton,
    RollButton,
    ShownButton,
    SimpleChordsButton,
    StemsButton,
)
from bot.settings import BotSettings
from bot.views import chords_texts


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a kind of button is answered with."""

    formats: tuple[Format, ...]
    action: ChatAction
    send: Callable[..., Awaitable[None]]
    words: str
    replaces_buttons: bool = False


_ANSWERS: Final[dict[type[CallbackData], _Answer]] = {
    RenderButton: _Answer(
        CHAT_FORMATS, ChatAction.UPLOAD_PHOTO, deliver, "result.rendering", replaces_buttons=True
    ),
    RollButton: _Answer((Format.ROLL,), ChatAction.UPLOAD_PHOTO, send_roll, "result.preparing"),
    ListenButton: _Answer(
        (Format.PREVIEW,), ChatAction.UPLOAD_VOICE, send_preview, "result.preparing"
    ),
    StemsButton: _Answer(
        (Format.STEMS,), ChatAction.UPLOAD_DOCUMENT, send_stems, "result.preparing"
    ),
}


async def on_render(
    callback: CallbackQuery,
    callback_data: RenderButton,
    bot: Bot,
    client: ServiceClient,
    settings: BotSettings,
    jobs: Jobs,
    request_id: str,
    t: Translator,
) -> None:
    """Another view, transposition or kind of chords: new pages and files, and the buttons move
    down to them. A picture or a sound of what is shown leaves the buttons where they are."""
    answer = _ANSWERS[type(callback_data)]
    view, shift = callback_data.view, callback_data.transpose_semitones
    if view is None or abs(shift) > MAX_TRANSPOSITION:
        await callback.answer(t("unknown.button"))
        return
    target = Target.beside(callback)
    with jobs.slot(name_buttons(callback), 1) as free:
        if not free:
            await callback.answer(t("result.busy"))
            return
        await callback.answer(t(answer.words))
        title = shown_title(callback.message) if isinstance(callback.message, Message) else ""
        options = RenderOptions(
            view, shift, answer.formats, title, callback_data.simple_chords, settings.paper
        )
        async with ChatActionSender(
            bot=bot,
            chat_id=target.chat_id,
            message_thread_id=target.thread_id,
            action=answer.action,
        ):
            try:
                events = client.render(callback_data.result_id, options, request_id=request_id)
                result, artifacts = await collect(events, ignore)
                await answer.send(bot, target, result, artifacts, title, t)
            except ServiceError as error:
                await tell(callback, target, error, request_id, bot, t)
                return
        if answer.replaces_buttons and callback.message is not None:
            with suppress(TelegramAPIError):  # too old to delete: two sets of buttons do no harm
                await bot.delete_message(target.chat_id, callback.message.message_id)


async def on_chords(
    callback: CallbackQuery,
    callback_data: ChordsButton,
    bot: Bot,
    client: ServiceClient,
    request_id: str,
    t: Translator,
) -> None:
    """The chords as text, in the key that is shown."""
    target = Target.beside(callback)
    title = shown_title(callback.message) if isinstance(callback.message, Message) else ""
    options = RenderOptions(
        transpose_semitones=callback_data.transpose_semitones,
        formats=(Format.JSON,),
        simple_chords=isinstance(callback_data, SimpleChordsButton),
    )
    await callback.answer()
    try:
        events = client.render(callback_data.result_id, options, request_id=request_id)
        result, _ = await collect(events, ignore)
    except ServiceError as error:
        await tell(callback, target, error, request_id, bot, t)
        return
    for text in chords_texts(result, title, t) or [t("chords.none")]:
        await bot.send_message(
            target.chat_id,
            text,
            message_thread_id=target.thread_id,
            reply_parameters=target.reply_parameters,
        )


async def on_shown(callback: CallbackQuery, t: Translator) -> None:
    """The marked button: there is nothing to do."""
    await callback.answer(t("result.shown"))


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="result")
    for kind in _ANSWERS:
        router.callback_query.register(on_render, kind.filter(), flags={"job": True})
    for kind in (ChordsButton, SimpleChordsButton):
        router.callback_query.register(on_chords, kind.filter(), flags={"job": True})
    router.callback_query.register(on_shown, ShownButton.filter())
    return router
