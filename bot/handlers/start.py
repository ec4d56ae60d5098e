"""Greeting, help, privacy, language."""

from __future__ import annotations

import structlog
from aiogram import Router
from aiogram.exceptions import TelegramAPIError, TelegramForbiddenError
from aiogram.filters import Command, CommandStart
from aiogram.types import CallbackQuery, Message

from bot.buttons import ForgetButton, LanguageButton, SampleButton
from bot.client.types import Preset
from bot.errors import BotError, BotErrorCode, ServiceError
from bot.forgetting import Forgetting
from bot.i18n import Translator
from bot.keyboards import language_keyboard, privacy_keyboard, start_keyboard
from bot.languages import Languages
from bot.recordings import message_key
from bot.request import Press, Request
from bot.sample import send_sample
from bot.settings import BotSettings
from bot.sources import find_source
from bot.transcriber import Transcriber

logger = structlog.get_logger(__name__)


async def on_start(message: Message, t: Translator) -> None:
    """``/start``: what to send, what comes back, and a try."""
    await message.answer(t("start"), reply_markup=start_keyboard(t))


async def on_sample(
    callback: CallbackQuery, callback_data: SampleButton, press: Press, transcriber: Transcriber
) -> None:
    """Send a recording of ours, and its score in reply to it."""
    async with transcriber.attendant.jobs.slot(press.buttons, 1) as is_free:
        await press.acknowledge(None if is_free else press.t("result.busy"))
        if not is_free:
            return
        try:
            message = await send_sample(press)
        except TelegramForbiddenError:
            raise
        except TelegramAPIError as error:
            logger.warning("sample not sent", error=type(error).__name__)
            await press.report(BotError(BotErrorCode.DELIVERY_FAILED))
            return
        if (source := find_source(message)) is not None:
            key = message_key(message)
            await transcriber.answer(press.beside(message), key, source, Preset.SONG)


async def on_help(message: Message, settings: BotSettings, request: Request, t: Translator) -> None:
    """``/help``: how it works, and the limits."""
    await message.answer(
        t(
            "help",
            size=t.size(settings.download_limit_bytes),
            duration=t.duration(settings.max_duration_s),
            practise=t("help.practise") if request.invitations is not None else "",
        )
    )


async def on_privacy(message: Message, t: Translator) -> None:
    """``/privacy``: what is stored, and a way to have it forgotten."""
    await message.answer(t("privacy"), reply_markup=privacy_keyboard(t))


async def on_forget(callback: CallbackQuery, press: Press, forgetting: Forgetting) -> None:
    """Forget the person who asks, and say so in place of what is kept."""
    text, keyboard = press.t("privacy.forgotten"), None
    try:
        await forgetting.forget(callback.from_user.id, request_id=press.id)
        logger.info("person forgotten")
    except ServiceError as error:
        logger.warning("results not forgotten", code=error.code)
        text, keyboard = press.t("privacy.forgotten_here"), privacy_keyboard(press.t)
    await press.acknowledge()
    if isinstance(callback.message, Message):
        await callback.message.edit_text(text, reply_markup=keyboard)


async def on_language(message: Message, t: Translator) -> None:
    """``/language``: the languages, as buttons."""
    await message.answer(t("language.choose"), reply_markup=language_keyboard(t))


async def on_language_chosen(
    callback: CallbackQuery, callback_data: LanguageButton, press: Press, languages: Languages
) -> None:
    """Store the choice and confirm it in the chosen language."""
    chosen = await languages.choose(callback.from_user, callback_data.chosen)
    await press.acknowledge(chosen("language.chosen"))
    if isinstance(callback.message, Message):
        await callback.message.edit_text(chosen("start"), reply_markup=start_keyboard(chosen))


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="start")
    router.message.register(on_start, CommandStart())
    router.message.register(on_help, Command("help"))
    router.message.register(on_privacy, Command("privacy"))
    router.message.register(on_language, Command("language"))
    router.callback_query.register(on_forget, ForgetButton.filter())
    router.callback_query.register(on_sample, SampleButton.filter())
    router.callback_query.register(on_language_chosen, LanguageButton.filter())
    return router
