"""Find the recording that somebody means: to hear it again as something else."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from aiogram.types import InlineKeyboardMarkup, Message

from bot.buttons import callback_data, find_shown
from bot.client.calls import ServiceClient
from bot.client.types import Preset, RenderOptions, Result
from bot.errors import ServiceError
from bot.recordings import RecordingStore, message_key, recording_of
from bot.sources import AudioSource

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hearing:
    """Knows recordings by the messages that have to do with them."""

    client: ServiceClient
    recordings: RecordingStore

    async def find(self, message: Message, request_id: str) -> AudioSource | None:
        """The recording that a message is about.

        It is in the message or in the one that it replies to, or the message asked for its score,
        or shows it.
        """
        source = recording_of(message) or await self.recordings.find(message_key(message))
        result_id = shown_result_id(message.reply_markup)
        if source is not None or result_id is None:
            return source
        return await self.recordings.find(result_id) or await self._find_uncorrected(
            result_id, request_id
        )

    async def list_likely(self, result_id: str, request_id: str) -> tuple[Preset, ...]:
        """What a result's recording may be, the likeliest first; empty if that is not known."""
        result = await self._describe(result_id, request_id)
        return () if result is None else result.heard_as

    async def find_shown(
        self, result_id: str, request_id: str
    ) -> tuple[Preset, AudioSource | None] | None:
        """What a result was heard as, and its recording; None if the service has no such result."""
        result = await self._describe(result_id, request_id)
        if result is None:
            return None
        recordings = self.recordings
        source = await recordings.find(result_id) or await recordings.find(result.uncorrected_id)
        return result.preset, source

    async def _find_uncorrected(self, result_id: str, request_id: str) -> AudioSource | None:
        """The recording of a corrected result, whose own id is not noted."""
        result = await self._describe(result_id, request_id)
        return None if result is None else await self.recordings.find(result.uncorrected_id)

    async def _describe(self, result_id: str, request_id: str) -> Result | None:
        try:
            return await self.client.describe(result_id, RenderOptions(), request_id=request_id)
        except ServiceError as error:
            logger.info("result not described", code=error.code)
            return None


def shown_result_id(markup: InlineKeyboardMarkup | None) -> str | None:
    """The id of the result that the buttons under a page belong to; None if it is no page."""
    shown = find_shown(callback_data(markup))
    return None if shown is None else shown.result_id
