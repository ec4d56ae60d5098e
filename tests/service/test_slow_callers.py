"""Callers who send or read next to nothing hold no place that somebody else needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
from notabot.v1 import jobs_pb2, jobs_pb2_grpc
from notabot.v1 import transcription_pb2 as pb

from inference_service.music.events import Transcription
from inference_service.pipeline.options import RenderOptions
from inference_service.pipeline.render import Artifact, Rendering
from inference_service.progress import Progress
from inference_service.settings import Settings
from tests.service.running import (
    HeldPipeline,
    Running,
    drain,
    read_failure,
    run_service,
    wait_until,
)

LARGE_BYTES = 8_000_000
"""More than fits a call's window."""


class LargeFiles(HeldPipeline):
    """Writes a large file."""

    def render(
        self,
        transcription: Transcription,
        options: RenderOptions,
        progress: Progress,
        kept: Mapping[str, bytes],
    ) -> Rendering:
        written = super().render(transcription, options, progress, kept)
        large = Artifact("large.bin", "application/octet-stream", bytes(LARGE_BYTES))
        return replace(written, artifacts=(large,))


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Running]:
    pipeline = LargeFiles(settings)
    pipeline.release.set()
    async with run_service(settings, use_cases=pipeline) as running:
        yield running


def begin_job(running: Running) -> Any:
    """Begin a job, whose call is not read."""

    def requests() -> Any:
        job = pb.JobContext(bot="42", key="1", context="notes")
        yield pb.TranscribeRequest(options=pb.TranscribeOptions(job=job, preset=pb.PRESET_VOICE))
        yield pb.TranscribeRequest(audio_chunk=b"a")
        yield pb.TranscribeRequest(complete=pb.UploadComplete())

    return running.transcription.Transcribe(requests())


async def code(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await drain(call)
    return read_failure(raised.value).reason


async def test_an_idle_upload_gives_way_to_who_would_be_refused(
    build: Callable[..., Settings],
) -> None:
    settings = build(engine={"queue_size": 2, "yield_s": 0.3, "caller_share": 1.0})
    async with serve(settings) as running:
        idle = [running.transcription.Transcribe() for _ in range(2)]
        for call in idle:
            await call.write(pb.TranscribeRequest(options=pb.TranscribeOptions()))
            await call.initial_metadata()
        assert await code(running.transcribe(b"too early")) == "QUEUE_FULL"
        await asyncio.sleep(0.4)
        events = await asyncio.wait_for(drain(running.transcribe(b"a")), 5.0)
        assert events[-1].HasField("result")
        assert await code(idle[0]) == "DEADLINE_EXCEEDED"
        assert not idle[1].done()
        idle[1].cancel()


async def test_a_slow_upload_to_a_quiet_service_succeeds(build: Callable[..., Settings]) -> None:
    settings = build(engine={"queue_size": 2, "yield_s": 0.1})
    async with serve(settings) as running:
        call = running.transcription.Transcribe()
        await call.write(pb.TranscribeRequest(options=pb.TranscribeOptions()))
        for _ in range(3):
            await asyncio.sleep(0.3)
            await call.write(pb.TranscribeRequest(audio_chunk=b"a"))
        await call.done_writing()
        assert (await drain(call))[-1].HasField("result")


@pytest.mark.parametrize("is_job", [False, True])
async def test_an_answer_that_is_not_read_ends(
    build: Callable[..., Settings], is_job: bool
) -> None:
    async with serve(build(server={"read_stall_s": 0.3})) as running:
        call = begin_job(running) if is_job else running.transcribe(b"a")
        engine = running.service.engine
        await wait_until(lambda: len(engine.deliveries) == 1)
        assert len(engine.transcriptions) == 0, "the work is done"
        await wait_until(lambda: len(engine.deliveries) == 0)
        assert await code(call) == "DEADLINE_EXCEEDED"


async def test_a_job_whose_result_was_not_read_can_be_returned_to(
    build: Callable[..., Settings],
) -> None:
    async with serve(build(server={"read_stall_s": 0.3})) as running:
        assert await code_after_pause(begin_job(running), running) == "DEADLINE_EXCEEDED"
        jobs: Any = jobs_pb2_grpc.JobsStub(running.channel)  # type: ignore[no-untyped-call]
        size_bytes = 0
        async for event in jobs.Attach(jobs_pb2.AttachRequest(bot="42", key="1")):
            size_bytes += len(event.artifact.data)
            if event.HasField("result"):
                break
        assert size_bytes == LARGE_BYTES


async def code_after_pause(call: Any, running: Running) -> str:
    engine = running.service.engine
    await wait_until(lambda: len(engine.deliveries) == 1)
    await wait_until(lambda: len(engine.deliveries) == 0)
    return await code(call)


async def test_an_answer_that_is_not_read_gives_way(build: Callable[..., Settings]) -> None:
    settings = build(engine={"queue_size": 1, "render_queue_size": 1, "yield_s": 0.3})
    async with serve(settings) as running:
        engine = running.service.engine
        unread = []
        for count in (1, 2):
            unread.append(running.transcribe(b"a"))
            await wait_until(lambda count=count: len(engine.deliveries) == count)  # type: ignore[misc]
        await asyncio.sleep(0.4)
        assert (await asyncio.wait_for(drain(running.transcribe(b"a")), 5.0))[-1].HasField("result")
        await wait_until(lambda: len(engine.deliveries) <= 1)
        assert await code(unread[0]) == "DEADLINE_EXCEEDED"
        unread[1].cancel()  # a stopping service waits for it until read_stall_s
