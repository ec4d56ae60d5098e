"""Greeting, help, privacy, language."""

from __future__ import annotations

from aiogram import Router
from aiogram.filters import Command, CommandStart
from aiogram.types import CallbackQuery, Message

from bot.buttons import LanguageButton
from bot.i18n import Translator
from bot.keyboards import language_keyboard
from bot.languages import Languages
from bot.request import Press
from bot.settings import BotSettings


async def on_start(message: Message, t: Translator) -> None:
    """``/start``: what to send."""
    await message.answer(t("start"))


async def on_help(message: Message, settings: BotSettings, t: Translator) -> None:
    """``/help``: how it works, and the limits."""
    await message.answer(
        t(
            "help",
            size=t.size(settings.download_limit_bytes),
            duration=t.duration(settings.max_duration_s),
        )
    )


async def on_privacy(message: Message, t: Translator) -> None:
    """``/privacy``: what is stored."""
    await message.answer(t("privacy"))


async def on_language(message: Message, t: Translator) -> None:
    """``/language``: the languages, as buttons."""
    await message.answer(t("language.choose"), reply_markup=language_keyboard(t))


async def on_language_chosen(
    callback: CallbackQuery, callback_data: LanguageButton, press: Press, languages: Languages
) -> None:
    """Store the choice and confirm it in the chosen language."""
    chosen = languages.choose(callback.from_user, callback_data.chosen)
    await press.acknowledge(chosen("language.chosen"))
    if isinstance(callback.message, Message):
        await callback.message.edit_text(chosen("start"))


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="start")
    router.message.register(on_start, CommandStart())
    router.message.register(on_help, Command("help"))
    router.message.register(on_privacy, Command("privacy"))
    router.message.register(on_language, Command("language"))
    router.callback_query.register(on_language_chosen, LanguageButton.filter())
    return router
