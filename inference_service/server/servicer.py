"""``notabot.v1.Transcription``: receives requests, passes them to the engine, sends its events.

Initial metadata is sent as soon as a request is admitted. It shows the caller that the request has
begun; a caller that waits for it never uploads audio to a full queue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc
from notabot.v1 import transcription_pb2, transcription_pb2_grpc

from inference_service.engine.queue import Admission
from inference_service.engine.service import Engine, Rendered
from inference_service.engine.worker import Update
from inference_service.errors import AudioEmpty, AudioTooLarge, DeadlineExceeded, InvalidOptions
from inference_service.pipeline.options import TranscribeOptions
from inference_service.server.convert.events import encode_artifact, encode_result, encode_update
from inference_service.server.convert.options import (
    decode_continue_options,
    decode_render_options,
    decode_transcribe_options,
)

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Requests = AsyncIterator[transcription_pb2.TranscribeRequest]


class TranscriptionServicer(transcription_pb2_grpc.TranscriptionServicer):
    """Thin asynchronous methods over the engine.

    Parameters
    ----------
    engine : Engine
    max_bytes : int
        Largest audio file, checked while it arrives.
    upload_timeout_s : float
        Longest time for the audio to arrive.
    deadline_s : float
        Longest time for a whole request.
    """

    def __init__(
        self, engine: Engine, *, max_bytes: int, upload_timeout_s: float, deadline_s: float
    ) -> None:
        self._engine = engine
        self._max_bytes = max_bytes
        self._upload_timeout_s = upload_timeout_s
        self._deadline_s = deadline_s

    async def Transcribe(self, requests: Requests, context: Context) -> None:  # noqa: N802
        """Receive options and audio; send updates, files and the result."""
        async with self._admitted(self._engine.transcriptions, context) as deadline_s:
            options, data = await self._receive(requests)
            events = self._engine.transcribe(data, options, deadline_s)
            del data
            await _send(events, context)

    async def Render(  # noqa: N802
        self, request: transcription_pb2.RenderRequest, context: Context
    ) -> None:
        """Render a cached result with other options."""
        options = decode_render_options(request.render)
        async with self._admitted(self._engine.renderings, context) as deadline_s:
            await _send(self._engine.render(request.result_id, options, deadline_s), context)

    async def Continue(  # noqa: N802
        self, request: transcription_pb2.ContinueRequest, context: Context
    ) -> None:
        """Send a continuation of a cached result."""
        options = decode_continue_options(request)
        async with self._admitted(self._engine.renderings, context) as deadline_s:
            events = self._engine.continue_music(request.result_id, options, deadline_s)
            await _send(events, context)

    @asynccontextmanager
    async def _admitted(self, queue: Admission, context: Context) -> AsyncIterator[float]:
        """Hold a place in a queue and yield the request's deadline, on the monotonic clock.

        Raises
        ------
        DeadlineExceeded
            If the block runs longer than that.
        """
        deadline_s = self._deadline(context)
        with queue.admit(), self._engine.counters.count():
            await context.send_initial_metadata(())
            timeout = asyncio.timeout_at(deadline_s)
            try:
                async with timeout:
                    yield deadline_s
            except TimeoutError:
                if not timeout.expired():
                    raise
                raise DeadlineExceeded("the request ran out of its time") from None

    def _deadline(self, context: Context) -> float:
        """Return the earlier of the caller's deadline and our own, on the monotonic clock."""
        remaining_s = context.time_remaining()
        limit_s = self._deadline_s if remaining_s is None else min(remaining_s, self._deadline_s)
        return time.monotonic() + limit_s

    async def _receive(self, requests: Requests) -> tuple[TranscribeOptions, bytes]:
        try:
            async with asyncio.timeout(self._upload_timeout_s):
                options = await _receive_options(requests)
                return options, await self._receive_audio(requests)
        except TimeoutError:
            raise DeadlineExceeded("the audio did not arrive in time") from None

    async def _receive_audio(self, requests: Requests) -> bytes:
        data = bytearray()
        async for request in requests:
            if request.WhichOneof("payload") != "audio_chunk":
                raise InvalidOptions("only the first message holds options", option="payload")
            data += request.audio_chunk
            if len(data) > self._max_bytes:
                raise AudioTooLarge(
                    f"over {self._max_bytes} bytes of audio", limit_bytes=self._max_bytes
                )
        if not data:
            raise AudioEmpty("no audio was sent")
        return bytes(data)


async def _receive_options(requests: Requests) -> TranscribeOptions:
    async for request in requests:
        if request.WhichOneof("payload") != "options":
            break
        return decode_transcribe_options(request.options)
    raise InvalidOptions("the first message must hold the options", option="payload")


async def _send(events: AsyncIterator[Update | Rendered], context: Context) -> None:
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            if not isinstance(event, Rendered):
                await context.write(encode_update(event))
                continue
            for artifact in event.artifacts:
                for chunk in encode_artifact(artifact):
                    await context.write(chunk)
            await context.write(encode_result(event))
