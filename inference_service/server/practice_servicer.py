"""``notabot.v1.Practice``: sheets to play from, and the sound that they are played along with."""

from __future__ import annotations

import asyncio
import zipfile
from contextlib import AbstractAsyncContextManager, closing
from typing import Final

from notabot.v1 import practice_pb2, practice_pb2_grpc

from inference_service.engine.queue import Place
from inference_service.engine.results import OpenSound
from inference_service.engine.service import Engine
from inference_service.errors import SoundUnavailable
from inference_service.server.admitting import admit
from inference_service.server.convert.events import CHUNK_BYTES
from inference_service.server.convert.options import decode_render_options
from inference_service.server.convert.practice import decode_screen, encode_engraved
from inference_service.server.sending import Context, Reading, Sender

MEDIA_TYPE: Final = "audio/ogg"
"""Of the sounds that are kept: Opus in Ogg."""
CONVERTED_TYPE: Final = "audio/flac"


class PracticeServicer(practice_pb2_grpc.PracticeServicer):
    """Thin asynchronous methods over the engine.

    Parameters
    ----------
    engine : Engine
    sender : Sender
    deadline_s : float
        Longest time for a call.
    """

    def __init__(self, engine: Engine, sender: Sender, deadline_s: float) -> None:
        self._engine = engine
        self._sender = sender
        self._deadline_s = deadline_s

    async def Engrave(  # noqa: N802
        self, request: practice_pb2.EngraveRequest, context: Context
    ) -> None:
        """Send a sheet and its pages."""
        options, screen = decode_render_options(request.render), decode_screen(request.screen)
        with self._engine.counters.count():
            async with self._admit(context) as (place, deadline_s):
                engraved = await self._engine.engrave(
                    request.result_id, options, screen, deadline_s
                )
                reading = self._sender.reading(context)
                with self._sender.delivering(reading, place):
                    events = await asyncio.to_thread(list, encode_engraved(engraved))
                    for event in events:
                        await reading.write(event)

    async def FetchSound(  # noqa: N802
        self, request: practice_pb2.FetchSoundRequest, context: Context
    ) -> None:
        """Send a sound in pieces, as they are read from the cache or were converted."""
        with self._engine.counters.count():
            async with self._admit(context) as (place, deadline_s):
                if request.encoding == practice_pb2.SOUND_ENCODING_FLAC:
                    media_type = CONVERTED_TYPE
                    sound = await self._engine.convert_sound(
                        request.result_id, request.name, deadline_s
                    )
                else:
                    media_type = MEDIA_TYPE
                    sound = await self._engine.open_sound(request.result_id, request.name)
                reading = self._sender.reading(context)
                with closing(sound.file), self._sender.delivering(reading, place):
                    await _send_sound(sound, media_type, reading)

    def _admit(self, context: Context) -> AbstractAsyncContextManager[tuple[Place, float]]:
        return admit(self._engine.renderings, context, self._deadline_s)


async def _send_sound(sound: OpenSound, media_type: str, reading: Reading) -> None:
    chunk = practice_pb2.SoundChunk(media_type=media_type, size_bytes=sound.size_bytes)
    while True:
        try:
            chunk.data = await asyncio.to_thread(sound.file.read, CHUNK_BYTES)
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise SoundUnavailable("the sound can no longer be read") from error
        if not chunk.data:
            return
        await reading.write(chunk)
        chunk = practice_pb2.SoundChunk()
