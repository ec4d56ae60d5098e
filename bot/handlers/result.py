"""The buttons under a result. They work as long as the service keeps the result."""

from __future__ import annotations

from aiogram import Router
from aiogram.types import CallbackQuery

from bot.buttons import (
    EXTRAS,
    ChordsButton,
    ContinuationFilesButton,
    ContinuationPageButton,
    ContinueButton,
    MoreButton,
    PageButton,
    RenderButton,
    ShownButton,
    SimpleChordsButton,
)
from bot.continuer import Continuer
from bot.i18n import Translator
from bot.renderer import Renderer
from bot.request import Press


async def on_render(
    callback: CallbackQuery, callback_data: RenderButton, press: Press, renderer: Renderer
) -> None:
    """Another page, view, transposition, kind of chords or of pitches."""
    await renderer.show(press, callback_data)


async def on_more(
    callback: CallbackQuery, callback_data: MoreButton, press: Press, renderer: Renderer
) -> None:
    """What else there is."""
    await renderer.open_more(press, callback_data)


async def on_extra(
    callback: CallbackQuery, callback_data: RenderButton, press: Press, renderer: Renderer
) -> None:
    """A picture or a sound of what is shown."""
    await renderer.send_extra(press, callback_data)


async def on_chords(
    callback: CallbackQuery, callback_data: ChordsButton, press: Press, renderer: Renderer
) -> None:
    """The chords as text."""
    await renderer.write_chords(press, callback_data)


async def on_continue(
    callback: CallbackQuery, callback_data: ContinueButton, press: Press, continuer: Continuer
) -> None:
    """A continuation of some measures."""
    await continuer.answer(press, callback_data)


async def on_continuation_page(
    callback: CallbackQuery,
    callback_data: ContinuationPageButton,
    press: Press,
    continuer: Continuer,
) -> None:
    """Another page of a continuation."""
    await continuer.turn_page(press, callback_data)


async def on_continuation_files(
    callback: CallbackQuery,
    callback_data: ContinuationFilesButton,
    press: Press,
    continuer: Continuer,
) -> None:
    """The files of a continuation."""
    await continuer.send_files(press, callback_data)


async def on_shown(callback: CallbackQuery, t: Translator) -> None:
    """The marked button: there is nothing to do."""
    await callback.answer(t("result.shown"))


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="result")
    register = router.callback_query.register
    for shown in (RenderButton, PageButton):
        register(on_render, shown.filter(), flags={"job": True})
    register(on_more, MoreButton.filter(), flags={"job": True})
    for extra in EXTRAS:
        register(on_extra, extra.filter(), flags={"job": True})
    for chords in (ChordsButton, SimpleChordsButton):
        register(on_chords, chords.filter(), flags={"job": True})
    register(on_continue, ContinueButton.filter(), flags={"job": True})
    register(on_continuation_page, ContinuationPageButton.filter(), flags={"job": True})
    register(on_continuation_files, ContinuationFilesButton.filter(), flags={"job": True})
    register(on_shown, ShownButton.filter())
    return router
