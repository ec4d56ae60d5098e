"""Transcribe the recording in a message: the bot's main task."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from bot.attendant import Attendant, report
from bot.client.calls import ServiceClient, collect
from bot.client.types import Artifact, Preset, RenderOptions, Result
from bot.delivery import deliver
from bot.download import Download
from bot.errors import SourceError
from bot.request import Request
from bot.room import Place, Room
from bot.settings import BotSettings
from bot.sources import AudioSource, check_limits
from bot.status import StatusMessage


@dataclass(frozen=True, slots=True)
class Transcriber:
    """Answers messages that contain a recording."""

    settings: BotSettings
    client: ServiceClient
    attendant: Attendant
    uploads: Room

    async def answer(self, request: Request, source: AudioSource, preset: Preset) -> None:
        """Check limits, transcribe, and send the score, or why there is none.

        The recording is read from Telegram only as fast as the service takes it, and only once the
        service has admitted the request.
        """
        t, max_bytes = request.t, self.settings.download_limit_bytes
        try:
            check_limits(source, max_bytes=max_bytes, max_duration_s=self.settings.max_duration_s)
        except SourceError as error:
            self.attendant.jobs.outcomes[error.code] += 1
            await request.say(request.explain(error))
            return
        title = source.title or t("title.recording")

        async def hear(status: StatusMessage, place: Place) -> tuple[Result, list[Artifact]]:
            download = Download(request.bot, source, max_bytes, self.settings.telegram_patience_s)
            options = RenderOptions(title=title, paper=self.settings.paper)
            async with self.uploads.place() as uploading:
                await uploading.take()

                async def read() -> AsyncGenerator[bytes]:
                    async with aclosing(download.chunks()) as chunks:
                        async for chunk in chunks:
                            yield chunk
                    uploading.give_back()

                events = self.client.transcribe(
                    read, preset=preset, options=options, request_id=request.id
                )
                return await collect(events, report(status, t), place)

        async def send(heard: tuple[Result, list[Artifact]]) -> None:
            await deliver(request, *heard, title)

        await self.attendant.serve(request, t("status.downloading"), hear, send)
