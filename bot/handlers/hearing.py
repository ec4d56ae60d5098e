"""Hear a recording as something else: buttons under a page, and words about it."""

from __future__ import annotations

from typing import Any

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, Message

from bot.buttons import HearButton, HeardButton
from bot.client.types import Preset
from bot.hearing import Hearing, shown_result_id
from bot.keyboards import heard_keyboard
from bot.latest import PageStore
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
    async with transcriber.attendant.jobs.slot(press.buttons, 1) as is_free:
        await press.acknowledge(None if is_free else press.t("result.busy"))
        if is_free:
            await renderer.restore(press, callback_data)
            key = f"{press.destination.chat_id}.{callback.id}"
            await transcriber.answer(press, key, source, callback_data.preset)


async def says_preset(
    message: Message, hearing: Hearing, pages: PageStore, request_id: str
) -> dict[str, Any] | bool:
    """Filter for words that say what a recording holds: in reply to it or to its page or, in
    private, after the page.

    The handler gets the recording as ``source``, None if it is no longer known, and the words'
    ``preset``, None if no word is known. Words about a page that ask for another page are left to
    others, and so is everything in groups that does not speak to the bot.
    """
    replied, text = message.reply_to_message, message.text or ""
    is_private = message.chat.type == ChatType.PRIVATE
    preset = read_preset(text)
    if replied is None:
        page = await pages.find(message.chat.id) if is_private and says_what_sounds(text) else None
        if page is None or preset is None:
            return False
        return await _hear_otherwise(text, preset, page.shown.result_id, hearing, request_id)
    result_id = shown_result_id(replied.reply_markup)
    if preset is not None and result_id is not None and says_what_sounds(text):
        return await _hear_otherwise(text, preset, result_id, hearing, request_id)
    if result_id is not None or recording_of(replied) is None:
        is_meant = preset is not None and not understand(text).wishes
    else:
        is_meant = preset is not None or not understand(text).wishes
    if not is_meant or not (is_private or result_id is not None):
        return False
    source = await hearing.find(replied, request_id)
    return {"source": source, "preset": preset} if source is not None else False


async def _hear_otherwise(
    text: str, preset: Preset, result_id: str, hearing: Hearing, request_id: str
) -> dict[str, Any] | bool:
    """What the handler gets if a page was heard as something else than the words say.

    If it was not, they may name an instrument for the page: "it's a flute" under that of a voice.
    """
    found = await hearing.find_shown(result_id, request_id)
    if found is None:
        return False
    heard_as, source = found
    if heard_as is preset and understand(text).is_complete:
        return False
    return {"source": source, "preset": preset}


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
    elif source is None:
        await request.say(request.t("hear.gone"))
    else:
        await transcriber.answer(request, message_key(message), source, preset)


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="hearing")
    router.message.register(on_words, F.text, ~F.text.startswith("/"), says_preset)
    router.callback_query.register(on_heard, HeardButton.filter())
    router.callback_query.register(on_hear, HearButton.filter())
    return router
