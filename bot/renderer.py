"""Render a cached result again: the work behind most buttons under a result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from aiogram.enums import ChatAction
from aiogram.exceptions import TelegramAPIError, TelegramForbiddenError
from aiogram.utils.chat_action import ChatActionSender

from bot.buttons import EXTRAS, ChordsButton, Medium, RenderButton, SimpleChordsButton
from bot.client.calls import ServiceClient, collect
from bot.client.types import CHAT_FORMATS, Artifact, Format, RenderOptions, Result
from bot.delivery import deliver, send_extra
from bot.errors import BotError, BotErrorCode, ServiceError
from bot.frames import forget_frames
from bot.jobs import Jobs
from bot.request import Press
from bot.room import Place, Room
from bot.settings import BotSettings
from bot.views import chords_texts

Send = Callable[[Result, list[Artifact]], Awaitable[None]]

logger = structlog.get_logger(__name__)

_ACTIONS: Final = {
    Medium.PHOTO: ChatAction.UPLOAD_PHOTO,
    Medium.VOICE: ChatAction.UPLOAD_VOICE,
    Medium.MUSIC: ChatAction.UPLOAD_DOCUMENT,
}
"""The chat action shown while the bot prepares a medium."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """Answers the buttons under a result; each message's presses run one at a time."""

    settings: BotSettings
    client: ServiceClient
    jobs: Jobs
    deliveries: Room

    async def show(self, press: Press, button: RenderButton) -> None:
        """Send pages and files of another view, transposition, kind of chords or of pitches.

        The message with the pressed button is deleted: new buttons follow the files.
        """

        async def send(result: Result, files: list[Artifact]) -> None:
            await deliver(press, result, files, press.title)
            await press.delete_message()

        words = press.t("result.rendering")
        await self._answer(press, button, CHAT_FORMATS, words, ChatAction.UPLOAD_PHOTO, send)

    async def send_extra(self, press: Press, button: RenderButton) -> None:
        """Send the files of an extra button; the buttons stay where they are."""
        extra = EXTRAS[type(button)]

        async def send(result: Result, files: list[Artifact]) -> None:
            await send_extra(press, extra, result, files, press.title)

        words = press.t("result.preparing")
        action = _ACTIONS[extra.medium]
        await self._answer(press, button, (extra.format,), words, action, send)

    async def write_chords(self, press: Press, button: ChordsButton) -> None:
        """Send the chords as text, in the shown key."""
        options = RenderOptions(
            transpose_semitones=button.transpose_semitones,
            formats=(Format.JSON,),
            simple_chords=isinstance(button, SimpleChordsButton),
        )
        await press.acknowledge()
        try:
            async with self.deliveries.place() as place:
                result, _ = await self._render(press, button.result_id, options, place)
        except ServiceError as error:
            forget_frames(error)
            await press.report(error)
            return
        for text in chords_texts(result, press.title, press.t) or [press.t("chords.none")]:
            await press.say(text)

    async def _answer(
        self,
        press: Press,
        button: RenderButton,
        formats: tuple[Format, ...],
        words: str,
        action: ChatAction,
        send: Send,
    ) -> None:
        with self.jobs.slot(press.buttons, 1) as free:
            if not free:
                await press.acknowledge(press.t("result.busy"))
                return
            await press.acknowledge(words)
            options = RenderOptions(
                button.view,
                button.transpose_semitones,
                formats,
                press.title,
                button.simple_chords,
                self.settings.paper,
                button.pitches,
            )
            chat_action = ChatActionSender(bot=press.bot, action=action, **press.destination.place)
            try:
                async with chat_action, self.deliveries.place() as place:
                    made = await self._render(press, button.result_id, options, place)
                    await send(*made)
            except ServiceError as error:
                forget_frames(error)
                await press.report(error)
            except TelegramForbiddenError:
                raise
            except TelegramAPIError as error:
                logger.warning("not delivered", error=type(error).__name__)
                forget_frames(error)
                await press.report(BotError(BotErrorCode.DELIVERY_FAILED))

    async def _render(
        self, press: Press, result_id: str, options: RenderOptions, place: Place
    ) -> tuple[Result, list[Artifact]]:
        """Request a rendering; its progress is not shown."""
        events = self.client.render(result_id, options, request_id=press.id)
        return await collect(events, lambda event: None, place)
