"""The bot's use case: a recording in a message becomes a score in reply, or words why not."""

from __future__ import annotations

from dataclasses import dataclass

from aiogram import Bot
from aiogram.types import Message

from bot.attendant import Attendant, Request, report
from bot.client.calls import ServiceClient, collect
from bot.client.types import Artifact, Preset, RenderOptions, Result
from bot.delivery import Target, deliver
from bot.errors import SourceError
from bot.i18n import Translator
from bot.settings import BotSettings
from bot.sources import AudioSource, check_limits, download
from bot.status import StatusMessage
from bot.views import error_text


@dataclass(frozen=True, slots=True)
class Transcriber:
    """Everything that answering a recording takes, but for the message itself."""

    settings: BotSettings
    client: ServiceClient
    attendant: Attendant

    async def answer(
        self,
        bot: Bot,
        message: Message,
        source: AudioSource,
        preset: Preset,
        request_id: str,
        t: Translator,
    ) -> None:
        """Check, download, transcribe, deliver; whatever happens, the person is told."""
        try:
            check_limits(
                source,
                max_bytes=self.settings.download_limit_bytes,
                max_duration_s=self.settings.max_duration_s,
            )
        except SourceError as error:
            self.attendant.jobs.outcomes[error.code] += 1
            await message.reply(error_text(error, t))
            return
        title = source.title or t("title.recording")
        person_id = message.from_user.id if message.from_user is not None else message.chat.id
        request = Request(bot, Target.reply(message), person_id, request_id, t)

        async def hear(status: StatusMessage) -> tuple[Result, list[Artifact]]:
            audio = await download(bot, source, max_bytes=self.settings.download_limit_bytes)
            status.show(t("status.sent"))
            options = RenderOptions(title=title, paper=self.settings.paper)
            events = self.client.transcribe(
                audio, preset=preset, options=options, request_id=request_id
            )
            return await collect(events, report(status, t))

        async def send(heard: tuple[Result, list[Artifact]]) -> None:
            await deliver(bot, request.target, *heard, title, t)

        await self.attendant.serve(request, t("status.downloading"), hear, send)
