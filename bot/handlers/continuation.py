"""The button that lets a result go on, and those for going on otherwise."""

from __future__ import annotations

from aiogram import Bot, Router
from aiogram.types import CallbackQuery, Message

from bot.attendant import Attendant, Request, Watch, report
from bot.client.calls import ServiceClient, collect
from bot.client.types import Artifact, ContinueOptions, Format, RenderOptions
from bot.delivery import Target, send_continuation, shown_title
from bot.errors import ServiceError, ServiceErrorCode
from bot.handlers.answers import name_buttons, take_buttons_away
from bot.i18n import Translator
from bot.jobs import Jobs
from bot.keyboards import BOLDNESS_STEPS, ContinueButton
from bot.settings import BotSettings
from bot.status import StatusMessage

WRITTEN = (Format.PNG, Format.MIDI)
"""What a chat is sent, beside the sound where the service can play."""


async def on_continue(
    callback: CallbackQuery,
    callback_data: ContinueButton,
    bot: Bot,
    client: ServiceClient,
    settings: BotSettings,
    attendant: Attendant,
    jobs: Jobs,
    request_id: str,
    t: Translator,
) -> None:
    """The music, some measures on: pages, MIDI, sound, and buttons for other ones."""
    shown = callback_data
    if shown.view is None or not shown.is_sound:
        await callback.answer(t("unknown.button"))
        return
    title = shown_title(callback.message) if isinstance(callback.message, Message) else ""
    options = ContinueOptions(
        shown.measures,
        shown.seed,
        shown.boldness / BOLDNESS_STEPS,
        RenderOptions(
            shown.view,
            shown.transpose_semitones,
            title=title,
            simple_chords=shown.simple_chords,
            paper=settings.paper,
        ),
    )
    target = Target.beside(callback)
    request = Request(bot, target, callback.from_user.id, request_id, t)

    async def compose(status: StatusMessage) -> list[Artifact]:
        return await _ask(client, shown.result_id, options, request_id, report(status, t))

    async def send(files: list[Artifact]) -> None:
        await send_continuation(bot, target, shown, files, title, t)

    with jobs.slot(name_buttons(callback), 1) as free:
        if not free:
            await callback.answer(t("result.busy"))
            return
        await callback.answer()
        outcome = await attendant.serve(request, t("result.continuing"), compose, send)
    if outcome == ServiceErrorCode.RESULT_EXPIRED:
        await take_buttons_away(callback)


async def _ask(
    client: ServiceClient,
    result_id: str,
    options: ContinueOptions,
    request_id: str,
    watch: Watch,
) -> list[Artifact]:
    """Ask for the sound, too, and without it where the service cannot play.

    It says so before it composes.
    """
    for formats in ((*WRITTEN, Format.PREVIEW), WRITTEN):
        wanted = options.written_as(formats)
        try:
            events = client.continue_music(result_id, wanted, request_id=request_id)
            _, files = await collect(events, watch)
        except ServiceError as error:
            if error.code != ServiceErrorCode.PREVIEW_UNAVAILABLE or formats == WRITTEN:
                raise
        else:
            return files
    raise AssertionError("the second round returns or raises")


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="continuation")
    router.callback_query.register(on_continue, ContinueButton.filter(), flags={"job": True})
    return router
