"""``notabot.v1.Transcription``: receives requests, passes them to the engine, sends its events.

Initial metadata is sent as soon as a request is admitted. It shows the caller that the request has
begun; a caller that waits for it never uploads audio to a full queue.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final

from notabot.v1 import transcription_pb2, transcription_pb2_grpc

from inference_service.engine.accepted import AcceptedJobs
from inference_service.engine.queue import Place
from inference_service.engine.service import Engine
from inference_service.engine.upload import Upload
from inference_service.errors import (
    AudioEmpty,
    AudioTooLarge,
    Cancelled,
    DeadlineExceeded,
    InvalidOptions,
    JobUnknown,
)
from inference_service.pipeline.options import TranscribeOptions
from inference_service.server.admitting import admit
from inference_service.server.caller import find_caller
from inference_service.server.convert.events import encode_result
from inference_service.server.convert.options import (
    decode_continue_options,
    decode_job,
    decode_render_options,
    decode_transcribe_options,
)
from inference_service.server.jobs_servicer import hold
from inference_service.server.sending import Context, Sender
from inference_service.server.uploads import Pace, Requests

MAX_FORGOTTEN: Final = 100
"""Results in a request, by the protocol."""


class TranscriptionServicer(transcription_pb2_grpc.TranscriptionServicer):
    """Thin asynchronous methods over the engine.

    Parameters
    ----------
    engine : Engine
    jobs : AcceptedJobs
    max_bytes : int
        Largest audio file, checked while it arrives.
    sender : Sender
    build_pace : callable
        Returns the pace that an upload must keep, which begins now.
    deadline_s : float
        Longest time for a whole transcription.
    render_deadline_s : float
        Longest time for a rendering or a continuation.
    """

    def __init__(
        self,
        engine: Engine,
        jobs: AcceptedJobs,
        sender: Sender,
        *,
        max_bytes: int,
        build_pace: Callable[[], Pace],
        deadline_s: float,
        render_deadline_s: float,
    ) -> None:
        self._engine = engine
        self._jobs = jobs
        self._sender = sender
        self._max_bytes = max_bytes
        self._build_pace = build_pace
        self._deadline_s = deadline_s
        self._render_deadline_s = render_deadline_s

    async def Transcribe(self, requests: Requests, context: Context) -> None:  # noqa: N802
        """Receive options and audio; send updates, files and the result."""
        message = await self._receive_options(requests)
        options = decode_transcribe_options(message)
        if message.HasField("job"):
            await self._accept(message.job, options, requests, context)
            return
        with self._engine.counters.count():
            async with self._admit_recording(context) as (place, deadline_s):
                data = await self._receive_audio(requests, place)
                events = self._engine.transcribe(data, options, deadline_s)
                del data
                await self._sender.send(events, context, place)

    async def _accept(
        self,
        job: transcription_pb2.JobContext,
        options: TranscribeOptions,
        requests: Requests,
        context: Context,
    ) -> None:
        """Accept a job, receive its recording and attend to it."""
        bot, key = decode_job(job)
        async with self._jobs.attend(bot, key) as closed:
            async with self._admit_recording(context) as (place, _):
                record, is_kept = await self._jobs.accept(bot, key, options, job.context)
                accepted = transcription_pb2.Accepted(context=record.context, kept=is_kept)
                reading = self._sender.reading(context)
                with place.held_by(reading):
                    await reading.write(transcription_pb2.TranscribeEvent(accepted=accepted))
                async with self._jobs.receive(record) as upload:
                    await self._receive_upload(requests, upload, place)
                    recording = await self._jobs.seal(record, upload)
                caller = find_caller(context.peer())
                self._jobs.run(record, recording, caller)  # takes a place of its own
            await self._sender.send(self._jobs.follow(record), context)
            await hold(closed)

    async def Render(  # noqa: N802
        self, request: transcription_pb2.RenderRequest, context: Context
    ) -> None:
        """Render a cached result with other options."""
        options = decode_render_options(request.render)
        with self._engine.counters.count():
            async with self._admit_rendering(context) as (place, deadline_s):
                events = self._engine.render(request.result_id, options, deadline_s)
                await self._sender.send(events, context, place)

    async def Continue(  # noqa: N802
        self, request: transcription_pb2.ContinueRequest, context: Context
    ) -> None:
        """Send a continuation of a cached result."""
        options = decode_continue_options(request)
        with self._engine.counters.count():
            async with self._admit_rendering(context) as (place, deadline_s):
                events = self._engine.continue_music(request.result_id, options, deadline_s)
                await self._sender.send(events, context, place)

    async def Describe(  # noqa: N802
        self, request: transcription_pb2.DescribeRequest, context: Context
    ) -> transcription_pb2.Result:
        """Describe a cached result without writing files."""
        options = decode_render_options(request.render)
        with self._engine.counters.count():
            async with self._admit_rendering(context) as (_, deadline_s):
                described = await self._engine.describe(request.result_id, options, deadline_s)
                return encode_result(described)

    async def Forget(  # noqa: N802
        self, request: transcription_pb2.ForgetRequest, context: Context
    ) -> transcription_pb2.ForgetResponse:
        """Delete cached results."""
        if len(request.result_ids) > MAX_FORGOTTEN:
            raise InvalidOptions(f"over {MAX_FORGOTTEN} ids", option="result_ids")
        with self._engine.counters.count():
            async with self._admit_rendering(context):
                await self._engine.forget(request.result_ids)
                return transcription_pb2.ForgetResponse()

    def _admit_recording(
        self, context: Context
    ) -> AbstractAsyncContextManager[tuple[Place, float]]:
        return admit(self._engine.transcriptions, context, self._deadline_s)

    def _admit_rendering(
        self, context: Context
    ) -> AbstractAsyncContextManager[tuple[Place, float]]:
        return admit(self._engine.renderings, context, self._render_deadline_s)

    async def _receive_options(self, requests: Requests) -> transcription_pb2.TranscribeOptions:
        async with aclosing(self._build_pace().keep(requests)) as messages:
            async for request in messages:
                if request.WhichOneof("payload") != "options":
                    break
                return request.options
        raise InvalidOptions("the first message must hold the options", option="payload")

    async def _receive_audio(self, requests: Requests, place: Place) -> bytes:
        data, pace = bytearray(), self._build_pace()
        with place.held_by(pace):
            async with aclosing(pace.keep(requests)) as messages:
                async for request in messages:
                    data += self._chunk(request, len(data))
        if not data:
            raise AudioEmpty("no audio was sent")
        return bytes(data)

    async def _receive_upload(self, requests: Requests, upload: Upload, place: Place) -> None:
        """Receive a job's recording.

        Raises
        ------
        JobUnknown
            If it did not arrive in time. The caller may send it again.
        Cancelled
            If the upload was cut off.
        """
        pace = self._build_pace()
        try:
            with place.held_by(pace):
                async with aclosing(pace.keep(requests)) as messages:
                    async for request in messages:
                        if request.WhichOneof("payload") == "complete":
                            break
                        await upload.write(self._chunk(request, upload.size_bytes))
                    else:
                        raise Cancelled("the upload was cut off")
        except DeadlineExceeded as error:
            raise JobUnknown(error.cause) from None
        if not upload.size_bytes:
            raise AudioEmpty("no audio was sent")

    def _chunk(self, request: transcription_pb2.TranscribeRequest, before_bytes: int) -> bytes:
        """Return a message's piece of audio, if it fits the limit."""
        if request.WhichOneof("payload") != "audio_chunk":
            raise InvalidOptions("only the first message holds options", option="payload")
        chunk: bytes = request.audio_chunk
        if before_bytes + len(chunk) > self._max_bytes:
            raise AudioTooLarge(
                f"over {self._max_bytes} bytes of audio", limit_bytes=self._max_bytes
            )
        return chunk
