"""Continue a result for some measures: the work behind the continue buttons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.attendant import Attendant, Watch, report
from bot.buttons import BOLDNESS_STEPS, ContinueButton
from bot.client.calls import ServiceClient, collect
from bot.client.types import Artifact, ContinueOptions, Format, RenderOptions
from bot.delivery import send_continuation
from bot.errors import ServiceError, ServiceErrorCode
from bot.request import Press
from bot.room import Place
from bot.settings import BotSettings

WRITTEN: Final = (Format.PNG, Format.MIDI)
"""Formats of every continuation; sound is added if the service can synthesise it."""


@dataclass(frozen=True, slots=True)
class Continuer:
    """Answers the continue button under a result and the buttons under a continuation."""

    settings: BotSettings
    client: ServiceClient
    attendant: Attendant

    async def answer(self, press: Press, button: ContinueButton) -> None:
        """Send a continuation's pages, MIDI and sound, and buttons for other continuations."""
        title = press.title
        options = ContinueOptions(
            button.measures,
            button.seed,
            button.boldness / BOLDNESS_STEPS,
            RenderOptions(
                button.view,
                button.transpose_semitones,
                title=title,
                simple_chords=button.simple_chords,
                paper=self.settings.paper,
                pitches=button.pitches,
            ),
        )

        async def compose(place: Place) -> list[Artifact]:
            watch = report(status, press.t)
            return await self._ask(button.result_id, options, press.id, watch, place)

        async def send(files: list[Artifact]) -> None:
            await send_continuation(press, button, files, title)

        with self.attendant.jobs.slot(press.buttons, 1) as free:
            if not free:
                await press.acknowledge(press.t("result.busy"))
                return
            await press.acknowledge()
            words = press.t("result.continuing")
            status = await self.attendant.announce(press, words, press.id)
            outcome = await self.attendant.serve(press, status, press.id, compose, send)
        if outcome == ServiceErrorCode.RESULT_EXPIRED:
            await press.take_buttons_away()

    async def _ask(
        self, result_id: str, options: ContinueOptions, request_id: str, watch: Watch, place: Place
    ) -> list[Artifact]:
        """Request the continuation with sound, and without it if the service has no synthesiser.

        This costs no time: the service looks for a synthesiser before it composes.
        """
        try:
            return await self._compose(
                result_id, options.written_as((*WRITTEN, Format.PREVIEW)), request_id, watch, place
            )
        except ServiceError as error:
            if error.code != ServiceErrorCode.PREVIEW_UNAVAILABLE:
                raise
        return await self._compose(result_id, options.written_as(WRITTEN), request_id, watch, place)

    async def _compose(
        self, result_id: str, options: ContinueOptions, request_id: str, watch: Watch, place: Place
    ) -> list[Artifact]:
        events = self.client.continue_music(result_id, options, request_id=request_id)
        _, files = await collect(events, watch, place)
        return files
