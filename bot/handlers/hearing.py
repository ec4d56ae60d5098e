"""Hear a recording as something else: buttons under a page, and words in reply."""

from __future__ import annotations

from typing import Any

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, Message

from bot.buttons import HearButton, HeardButton
from bot.client.types import Preset
from bot.hearing import Hearing, shown_result_id
from bot.keyboards import heard_keyboard
from bot.presets import read_preset, says_what_sounds
from bot.recordings import message_key, recording_of
from bot.renderer import Renderer
from bot.request import Press, Request
from bot.transcriber import Transcriber
from bot.wishes.grammar import understand


async def on_heard(
    callback: CallbackQuery, callback_data: HeardButton, press: Press, hearing: Hearing
) -> None:
    """What else the recording may be, under the page."""
    await press.acknowledge()
    likely = await hearing.list_likely(callback_data.result_id, press.id)
    await press.show_buttons(heard_keyboard(callback_data, press.t, likely))


async def on_hear(
    callback: CallbackQuery,
    callback_data: HearButton,
    press: Press,
    hearing: Hearing,
    renderer: Renderer,
    transcriber: Transcriber,
) -> None:
    """Hear the recording again, as the button says; the page gets its usual buttons back."""
    message = callback.message
    source = await hearing.find(message, press.id) if isinstance(message, Message) else None
    if source is None:
        await press.acknowledge()
        await press.say(press.t("hear.gone"))
        return
    with transcriber.attendant.jobs.slot(press.buttons, 1) as is_free:
        await press.acknowledge(None if is_free else press.t("result.busy"))
        if is_free:
            await renderer.restore(press, callback_data)
            key = f"{press.destination.chat_id}.{callback.id}"
            await transcriber.answer(press, key, source, callback_data.preset)


async def says_preset(message: Message, hearing: Hearing, request_id: str) -> dict[str, Any] | bool:
    """Filter for words in reply that say what a recording holds.

    The handler gets the recording as ``source`` and the words' ``preset``, None if no word is
    known. In reply to a page, words that also ask for another page are left to others, and so is
    everything in groups that does not speak to the bot.
    """
    replied, text = message.reply_to_message, message.text or ""
    if replied is None:
        return False
    preset = read_preset(text)
    is_page = shown_result_id(replied.reply_markup) is not None
    if is_page or recording_of(replied) is None:
        is_meant = preset is not None and (says_what_sounds(text) or not understand(text).wishes)
    else:
        is_meant = preset is not None or not understand(text).wishes
    if not is_meant or (message.chat.type != ChatType.PRIVATE and not is_page):
        return False
    source = await hearing.find(replied, request_id)
    return {"source": source, "preset": preset} if source is not None else False


async def on_words(
    message: Message,
    request: Request,
    source: Any,
    preset: Preset | None,
    transcriber: Transcriber,
) -> None:
    """Hear the recording as the words say, or say which words are known."""
    if preset is None:
        await request.say(request.t("hear.words", word=(message.text or "")[:50]))
    else:
        await transcriber.answer(request, message_key(message), source, preset)


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="hearing")
    router.message.register(on_words, F.text, ~F.text.startswith("/"), says_preset)
    router.callback_query.register(on_heard, HeardButton.filter())
    router.callback_query.register(on_hear, HearButton.filter())
    return router
