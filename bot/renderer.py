"""Render a cached result again: the work behind most buttons under a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog
from aiogram.enums import ChatAction
from aiogram.exceptions import TelegramAPIError

from bot.buttons import EXTRAS, ChordsButton, Medium, MoreButton, RenderButton, SimpleChordsButton
from bot.client.calls import ServiceClient, collect
from bot.client.types import Artifact, Format, RenderOptions, Result
from bot.delivery import Shown, send_extra, show_in_place
from bot.errors import ServiceError
from bot.frames import forget_frames
from bot.keyboards import more_keyboard
from bot.presses import Presses
from bot.request import Press
from bot.room import Place
from bot.sent import SentFiles
from bot.settings import BotSettings
from bot.sheet import turn_into
from bot.views import chords_texts

logger = structlog.get_logger(__name__)

_ACTIONS: Final = {
    Medium.PHOTO: ChatAction.UPLOAD_PHOTO,
    Medium.VOICE: ChatAction.UPLOAD_VOICE,
    Medium.MUSIC: ChatAction.UPLOAD_DOCUMENT,
    Medium.FILES: ChatAction.UPLOAD_DOCUMENT,
}
"""The chat action shown while the bot prepares a medium."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """Answers the buttons under a result; each message's presses run one at a time."""

    settings: BotSettings
    client: ServiceClient
    presses: Presses
    sent: SentFiles

    async def show(self, press: Press, button: RenderButton) -> None:
        """Show another page, view, transposition, kind of chords or of pitches, in place."""
        with_models = press.is_private_with(self.settings.admin_ids)

        async def send(result: Result, files: list[Artifact]) -> None:
            page = button.page_number
            await show_in_place(press, Shown(result, files, press.title, page, with_models))

        words = press.t("result.rendering")
        options = self._options(press, button, (Format.PNG,))

        async def make(place: Place) -> tuple[Result, list[Artifact]]:
            return await self._render(press, button.result_id, options, place)

        await self.presses.answer(
            press, words, ChatAction.UPLOAD_PHOTO, make, lambda made: send(*made)
        )

    async def restore(self, press: Press, button: RenderButton) -> None:
        """Put a page and its usual buttons back, without a word; a failure leaves what is there."""
        options = self._options(press, button, (Format.PNG,))
        with_models = press.is_private_with(self.settings.admin_ids)
        try:
            async with self.presses.deliveries.place() as place:
                made = await self._render(press, button.result_id, options, place)
                shown = Shown(*made, press.title, button.page_number, with_models)
                await turn_into(press, shown.sheet(press))
        except (ServiceError, TelegramAPIError) as error:
            logger.info("page not restored", error=type(error).__name__)
            forget_frames(error)

    async def open_more(self, press: Press, button: MoreButton) -> None:
        """Offer under the page what else there is."""

        async def describe(place: Place) -> Result:
            options = RenderOptions(
                button.view,
                button.transpose_semitones,
                simple_chords=button.simple_chords,
                pitches=button.pitches,
            )
            return await self.client.describe(button.result_id, options, request_id=press.id)

        async def show(result: Result) -> None:
            await press.show_buttons(more_keyboard(result, press.t, page=button.page))

        await self.presses.answer(press, None, ChatAction.TYPING, describe, show)

    async def send_extra(self, press: Press, button: RenderButton) -> None:
        """Send the files of an extra button; the buttons stay where they are."""
        extra = EXTRAS[type(button)]
        options = self._options(press, button, extra.formats)

        async def work(place: Place) -> None:
            if await self.sent.point(press, button):
                return
            result, files = await self._render(press, button.result_id, options, place)
            message_id = await send_extra(press, extra, result, files, press.title)
            self.sent.note(press, button, message_id)

        words = press.t("result.preparing")
        await self.presses.work(press, words, _ACTIONS[extra.medium], work)

    async def write_chords(self, press: Press, button: ChordsButton) -> None:
        """Send the chords as text, in the shown key."""
        options = RenderOptions(
            transpose_semitones=button.transpose_semitones,
            formats=(Format.JSON,),
            simple_chords=isinstance(button, SimpleChordsButton),
            language=press.t.language,
        )
        await press.acknowledge()
        try:
            async with self.presses.deliveries.place() as place:
                result, _ = await self._render(press, button.result_id, options, place)
        except ServiceError as error:
            forget_frames(error)
            await press.report(error)
            return
        for text in chords_texts(result, press.title, press.t) or [press.t("chords.none")]:
            await press.say(text)

    def _options(
        self, press: Press, button: RenderButton, formats: tuple[Format, ...]
    ) -> RenderOptions:
        return RenderOptions(
            button.view,
            button.transpose_semitones,
            formats,
            press.title,
            button.simple_chords,
            self.settings.paper,
            button.pitches,
            button.page_number,
            language=press.t.language,
        )

    async def _render(
        self, press: Press, result_id: str, options: RenderOptions, place: Place
    ) -> tuple[Result, list[Artifact]]:
        """Request a rendering; its progress is not shown."""
        events = self.client.render(result_id, options, request_id=press.id)
        return await collect(events, lambda event: None, place)
