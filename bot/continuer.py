"""Continue a result for some measures: the work behind the continue buttons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiogram.enums import ChatAction
from aiogram.types import Message

from bot.attendant import Attendant, Watch, report
from bot.buttons import (
    BOLDNESS_STEPS,
    ContinuationFilesButton,
    ContinuationPageButton,
    ContinueButton,
)
from bot.client.calls import ServiceClient, collect
from bot.client.types import FILE_FORMATS, Artifact, ContinueOptions, Format, RenderOptions, Result
from bot.delivery import continuation_sheet, send_continuation, send_continuation_files
from bot.errors import ServiceError, ServiceErrorCode
from bot.presses import Presses
from bot.request import Press
from bot.room import Place
from bot.sent import SentFiles
from bot.settings import BotSettings
from bot.sheet import send_sheet, turn_into
from bot.views import continuation_text

Composed = tuple[Result, list[Artifact]]
"""The result that is continued, with the number of pages of the continuation, and its files."""


@dataclass(frozen=True, slots=True)
class Continuer:
    """Answers the continue button under a result and the buttons under a continuation."""

    settings: BotSettings
    client: ServiceClient
    attendant: Attendant
    presses: Presses
    sent: SentFiles

    async def answer(self, press: Press, button: ContinueButton) -> None:
        """Send a continuation's first page and sound, and buttons for its files and for others."""
        title = press.title
        options = self._options(button, press)
        bolder = button.boldness - _boldness_shown(press)

        async def compose(place: Place) -> Composed:
            watch = report(status, press.t)
            return await self._ask(button.result_id, options, press.id, watch, place)

        async def send(made: Composed) -> None:
            text = continuation_text(button.measures, bolder, title, press.t)
            await send_continuation(press, button, *made, text)

        async with self.attendant.jobs.slot(press.buttons, 1) as free:
            if not free:
                await press.acknowledge(press.t("result.busy"))
                return
            await press.acknowledge()
            words = press.t("result.continuing")
            status = await self.attendant.announce(press, words, press.id)
            outcome = await self.attendant.serve(press, status, press.id, compose, send)
        if outcome == ServiceErrorCode.RESULT_EXPIRED:
            await press.take_buttons_away()

    async def turn_page(self, press: Press, button: ContinuationPageButton) -> None:
        """Show another page of a continuation, in place."""
        page, message = button.page, press.callback.message
        same = message.html_text if isinstance(message, Message) else ""
        text = same or continuation_text(button.measures, 0, press.title, press.t)
        options = self._options(button, press, page).written_as((Format.PNG,))

        async def send(made: Composed) -> None:
            sheet = continuation_sheet(button, *made, text, press.t, page)
            if not await turn_into(press, sheet):
                await send_sheet(press, sheet)

        await self._answer(press, button, options, ChatAction.UPLOAD_PHOTO, send)

    async def send_files(self, press: Press, button: ContinuationFilesButton) -> None:
        """Send the files of a continuation."""
        title = press.title
        options = self._options(button, press).written_as(FILE_FORMATS)

        async def work(place: Place) -> None:
            if await self.sent.point(press, button):
                return
            _, files = await self._compose(
                button.result_id, options, press.id, lambda event: None, place
            )
            self.sent.note(press, button, await send_continuation_files(press, files, title))

        words = press.t("result.preparing")
        await self.presses.work(press, words, ChatAction.UPLOAD_DOCUMENT, work)

    async def _answer(
        self,
        press: Press,
        button: ContinueButton,
        options: ContinueOptions,
        action: ChatAction,
        send: Callable[[Composed], Awaitable[None]],
    ) -> None:
        async def compose(place: Place) -> Composed:
            return await self._compose(
                button.result_id, options, press.id, lambda event: None, place
            )

        await self.presses.answer(press, press.t("result.preparing"), action, compose, send)

    def _options(self, button: ContinueButton, press: Press, page: int = 1) -> ContinueOptions:
        return ContinueOptions(
            button.measures,
            button.seed,
            button.boldness / BOLDNESS_STEPS,
            RenderOptions(
                button.view,
                button.transpose_semitones,
                title=press.title,
                simple_chords=button.simple_chords,
                paper=self.settings.paper,
                pitches=button.pitches,
                page=page,
                language=press.t.language,
            ),
        )

    async def _ask(
        self, result_id: str, options: ContinueOptions, request_id: str, watch: Watch, place: Place
    ) -> Composed:
        """Request the continuation with sound, and without it if the service has no synthesiser.

        This costs no time: the service looks for a synthesiser before it composes.
        """
        try:
            return await self._compose(
                result_id,
                options.written_as((Format.PNG, Format.PREVIEW)),
                request_id,
                watch,
                place,
            )
        except ServiceError as error:
            if error.code != ServiceErrorCode.PREVIEW_UNAVAILABLE:
                raise
        written = options.written_as((Format.PNG,))
        return await self._compose(result_id, written, request_id, watch, place)

    async def _compose(
        self, result_id: str, options: ContinueOptions, request_id: str, watch: Watch, place: Place
    ) -> Composed:
        events = self.client.continue_music(result_id, options, request_id=request_id)
        return await collect(events, watch, place)


def _boldness_shown(press: Press) -> int:
    """The boldness of the continuation whose button is pressed; 0 under a result.

    The first button to continue is that for another one, of the same boldness.
    """
    message = press.callback.message
    markup = message.reply_markup if isinstance(message, Message) else None
    for button in (button for row in markup.inline_keyboard for button in row) if markup else ():
        if (button.callback_data or "").startswith(f"{ContinueButton.__prefix__}:"):
            return ContinueButton.unpack(button.callback_data or "").boldness
    return 0
