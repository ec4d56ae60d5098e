"""The calls of ``notabot.v1.Practice``: engraved scores and their sounds."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import grpc
from notabot.v1 import practice_pb2, practice_pb2_grpc

from bot.client.attempts import Attempt, build_metadata, try_twice
from bot.client.conversion import decode_result, encode_render_options
from bot.client.sheets import (
    ClockPoint,
    Screen,
    Sheet,
    SheetChord,
    SheetFont,
    SheetMeasure,
    SheetNote,
    SheetPart,
    Sound,
    SoundEncoding,
)
from bot.client.types import RenderOptions
from bot.errors import BotError, BotErrorCode, ServiceError

DEADLINE_S: Final = 120.0
SOUND_DEADLINE_S: Final = 600.0
"""A slow network takes its time for the recording of a song."""
MAX_PAGES_CHARS: Final = 64_000_000
"""Of all pages together; a service that sends more is not what it says."""


_ENCODINGS: Final = {
    SoundEncoding.OPUS: practice_pb2.SOUND_ENCODING_UNSPECIFIED,
    SoundEncoding.FLAC: practice_pb2.SOUND_ENCODING_FLAC,
}


class PracticeClient:
    """Calls for the practice page.

    Parameters
    ----------
    channel : grpc.aio.Channel
    token : str
        Bearer token; empty: none.
    """

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._practice = practice_pb2_grpc.PracticeStub(channel)  # type: ignore[no-untyped-call]
        self._token = token

    async def engrave(
        self, result_id: str, options: RenderOptions, screen: Screen, *, request_id: str
    ) -> Sheet:
        """Engrave a result for a screen; ``options`` may correct it, which gives it another id.

        Raises
        ------
        ServiceError
            ``RESULT_EXPIRED`` if the service no longer has it.
        BotError
            ``INVALID_REQUEST`` if a number or a text cannot be sent.
        """
        request = _encode_request(result_id, options, screen)
        sheet: practice_pb2.Sheet | None = None
        pages: list[str] = []
        room = MAX_PAGES_CHARS
        messages = self._stream(self._practice.Engrave, request, request_id, DEADLINE_S)
        async with aclosing(messages):
            async for message in messages:
                if message.HasField("sheet"):
                    sheet = message.sheet
                elif message.HasField("page"):
                    pages.append(message.page.svg)
                    room -= len(message.page.svg)
                    if room < 0:
                        break
        if sheet is None or room < 0:
            raise ServiceError(BotErrorCode.SERVICE_LOST)
        return _decode_sheet(sheet, tuple(pages))

    async def fetch_sound(
        self,
        result_id: str,
        name: str,
        *,
        encoding: SoundEncoding = SoundEncoding.OPUS,
        request_id: str,
    ) -> AsyncGenerator[Sound | bytes]:
        """Yield what a sound is, then its bytes in pieces.

        Raises
        ------
        ServiceError
            ``RESULT_EXPIRED`` or ``SOUND_UNAVAILABLE`` if the service no longer has it.
        """
        request = practice_pb2.FetchSoundRequest(
            result_id=result_id, name=name, encoding=_ENCODINGS[encoding]
        )
        messages = self._stream(self._practice.FetchSound, request, request_id, SOUND_DEADLINE_S)
        is_announced = False
        async with aclosing(messages):
            async for message in messages:
                if not is_announced:
                    is_announced = True
                    yield Sound(message.media_type, message.size_bytes)
                if message.data:
                    yield message.data

    def _stream(
        self, method: Any, request: object, request_id: str, deadline_s: float
    ) -> AsyncGenerator[Any]:
        async def start(attempt: Attempt) -> AsyncGenerator[Any]:
            attempt.sent = True
            call = method(
                request, timeout=deadline_s, metadata=build_metadata(request_id, self._token)
            )
            try:
                async for message in call:
                    attempt.answered = True
                    yield message
            finally:
                call.cancel()

        return try_twice(start, repeatable=True)


def _encode_request(
    result_id: str, options: RenderOptions, screen: Screen
) -> practice_pb2.EngraveRequest:
    """Encode values that strangers may have chosen: numbers too large, halves of characters."""
    try:
        return practice_pb2.EngraveRequest(
            result_id=result_id,
            render=encode_render_options(options),
            screen=practice_pb2.Screen(
                width_px=screen.width_px, staff_height_px=screen.staff_height_px
            ),
        )
    except ValueError as error:
        raise BotError(BotErrorCode.INVALID_REQUEST) from error


def _decode_sheet(sheet: practice_pb2.Sheet, pages: tuple[str, ...]) -> Sheet:
    return Sheet(
        result=decode_result(sheet.result),
        measures=tuple(
            SheetMeasure(bar.number, bar.id, bar.page, bar.start, bar.end, bar.fifths)
            for bar in sheet.measures
        ),
        notes=tuple(
            SheetNote(
                tuple(note.ids),
                note.note,
                note.part,
                note.pitch,
                note.start,
                note.duration,
                note.velocity,
            )
            for note in sheet.notes
        ),
        parts=tuple(
            SheetPart(part.id, part.name, part.program, part.is_drum, part.staves)
            for part in sheet.parts
        ),
        clock=tuple(ClockPoint(point.quarters, point.time_s) for point in sheet.clock),
        chords=tuple(SheetChord(chord.start, chord.text) for chord in sheet.chords),
        sounds=tuple(sheet.sounds),
        duration_s=sheet.duration_s,
        fonts=tuple(
            SheetFont(font.family, font.is_bold, font.is_italic, font.woff2) for font in sheet.fonts
        ),
        glyphs=sheet.glyphs,
        pages=pages,
    )
