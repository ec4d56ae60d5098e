"""The service as a test double: a real gRPC server whose every answer a test decides.

``python -m tests.bot.service`` runs one that starts a job and never ends it, for tests that kill
it; it prints its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from notabot.v1 import jobs_pb2 as jpb
from notabot.v1 import (
    jobs_pb2_grpc,
    models_pb2_grpc,
    practice_pb2_grpc,
    transcription_pb2_grpc,
)
from notabot.v1 import models_pb2 as mpb
from notabot.v1 import transcription_pb2 as pb

from tests.bot.corrected import TONICS, CorrectedResults, transpose
from tests.bot.practised import FakePractice

ROOT = Path(__file__).parents[2]
OGG = b"OggS" + bytes(2) + (12 * 48_000).to_bytes(8, "little") + bytes(20)
"""A last page of twelve seconds."""

Events = AsyncIterator[pb.TranscribeEvent]
SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.http2.max_ping_strikes", 0),
)


class RefusalError(Exception):
    """Raised by a behaviour to end the call as the service would."""

    def __init__(
        self,
        status: int,
        reason: str,
        retry_after_s: float | None = None,
        **metadata: str,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.metadata = metadata

    def to_status(self) -> status_pb2.Status:
        """The ``google.rpc.Status`` of the contract."""
        details = []
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain="notabot", metadata=self.metadata
        )
        details.append(_packed(info))
        if self.retry_after_s is not None:
            delay = Duration()
            delay.FromMilliseconds(int(self.retry_after_s * 1000))
            details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
        return status_pb2.Status(code=self.status, message=self.reason, details=details)


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def queue_full() -> RefusalError:
    """What a full queue answers."""
    return RefusalError(code_pb2.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_after_s=90)


def queued(position: int) -> pb.TranscribeEvent:
    """A Queued event."""
    return pb.TranscribeEvent(queued=pb.Queued(position=position))


def progress(stage: pb.Stage, overall: float) -> pb.TranscribeEvent:
    """A StageProgress event."""
    return pb.TranscribeEvent(
        progress=pb.StageProgress(stage=stage, stage_fraction=0.5, overall_fraction=overall)
    )


def artifact(name: str, data: bytes) -> list[pb.TranscribeEvent]:
    """An artefact in two chunks."""
    half = len(data) // 2
    first = pb.ArtifactChunk(name=name, media_type="application/test", data=data[:half])
    last = pb.ArtifactChunk(name=name, data=data[half:], last=True)
    return [pb.TranscribeEvent(artifact=first), pb.TranscribeEvent(artifact=last)]


def result(render: pb.RenderOptions | None = None, **changes: Any) -> pb.Result:
    """A result: four bars of A minor in 4/4, in whatever rendering was asked for."""
    render = render or pb.RenderOptions()
    labels = ["A:min", "F:maj", "C:maj", "G:maj/3"]
    texts = {0: ["Am", "F", "C", "G/B"], 2: ["Bm", "G", "D", "A/C♯"]}
    written = texts.get(render.transpose_semitones, texts[0])
    chords = [
        pb.ChordSegment(start_s=2.0 * bar, end_s=2.0 * bar + 2.0, label=label, text=text)
        for bar, (label, text) in enumerate(zip(labels, written, strict=True))
    ]
    beats = [pb.Beat(time_s=0.5 * beat, position=beat % 4 + 1) for beat in range(16)]
    fields: dict[str, Any] = {
        "result_id": "0123456789abcdef0123456789abcdef",
        "duration_s": 8.0,
        "tempo_bpm": 120.2,
        "time_signature": "4/4",
        "key": pb.Key(tonic="A", mode=pb.MODE_MINOR),
        "rendered_key": pb.Key(tonic=TONICS[render.transpose_semitones % 12], mode=pb.MODE_MINOR),
        "beats": beats,
        "chords": chords,
        "models": {"voice": "swift-f0@0.3.0", "chords": "chordino@1.1"},
        "preset": pb.PRESET_VOICE,
        "render": render,
    }
    return pb.Result(**{**fields, **changes})


NAMES = {
    pb.FORMAT_JSON: (),
    pb.FORMAT_PDF: ("score.pdf",),
    pb.FORMAT_MIDI: ("performance.mid", "score.mid"),
    pb.FORMAT_MUSICXML: ("score.musicxml",),
    pb.FORMAT_ROLL: ("roll.png",),
    pb.FORMAT_PREVIEW: ("preview.ogg",),
    pb.FORMAT_STEMS: ("karaoke.mp3", "a-cappella.mp3", "theremin.mp3"),
}
"""The files of each format; pages depend on what is asked for."""


def files(render: pb.RenderOptions, pages: int = 1) -> list[pb.TranscribeEvent]:
    """The artefacts of a rendering, in the formats that are asked for."""
    events = []
    for wanted in render.formats:
        for name in (
            NAMES.get(wanted, ())
            if wanted != pb.FORMAT_PNG
            else (f"score-{min(max(render.page, 1), pages)}.png",)
        ):
            data = OGG if wanted in {pb.FORMAT_PREVIEW, pb.FORMAT_STEMS} else name.encode() * 3
            events += artifact(name, data)
    return events


async def succeed(options: pb.TranscribeOptions, audio: bytes) -> Events:
    """The usual course of a transcription."""
    yield queued(1)
    yield queued(0)
    yield progress(pb.STAGE_DECODE, 0.05)
    yield progress(pb.STAGE_TAGGING, 0.6)
    for event in files(options.render):
        yield event
    yield pb.TranscribeEvent(result=result(options.render))


async def render_again(request: pb.RenderRequest) -> Events:
    """The usual course of a rendering."""
    for event in files(request.render):
        yield event
    yield pb.TranscribeEvent(result=result(request.render, result_id=request.result_id))


async def go_on(request: pb.ContinueRequest) -> Events:
    """The usual course of a continuation."""
    suffixes = {
        pb.FORMAT_PNG: f"-{request.render.page}.png",
        pb.FORMAT_PDF: ".pdf",
        pb.FORMAT_MIDI: ".mid",
        pb.FORMAT_MUSICXML: ".musicxml",
        pb.FORMAT_PREVIEW: ".ogg",
    }
    for name in [f"continuation{suffixes[wanted]}" for wanted in request.render.formats]:
        for event in artifact(name, OGG):
            yield event
    yield pb.TranscribeEvent(result=result(request.render, result_id=request.result_id))


@dataclass
class KeptJob:
    """A job that the service double has accepted."""

    options: pb.TranscribeOptions
    context: str
    audio: bytes | None = None
    attended: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class FakeService(
    FakePractice,
    transcription_pb2_grpc.TranscriptionServicer,
    jobs_pb2_grpc.JobsServicer,
    models_pb2_grpc.ModelsServicer,
):
    """All services; ``admit``, ``transcribe``, ``render`` and ``go_on`` are a test's to replace.

    ``transcriptions`` and ``renders`` are the requests that came, ``metadata`` that of the latest
    call, ``cancelled`` is set when a running call is cancelled by its client.
    """

    def __init__(self) -> None:
        super().__init__()
        self.transcribe: Callable[[pb.TranscribeOptions, bytes], Events] = succeed
        self.render: Callable[[pb.RenderRequest], Events] = render_again
        self.admit: Callable[[Any], Awaitable[None]] | None = None
        self.before_description: Callable[[], Awaitable[None]] | None = None
        self.transcriptions: list[tuple[pb.TranscribeOptions, bytes]] = []
        self.go_on: Callable[[pb.ContinueRequest], Events] = go_on
        self.jobs: dict[tuple[str, str], KeptJob] = {}
        self.renders: list[pb.RenderRequest] = []
        self.continuations: list[pb.ContinueRequest] = []
        self.descriptions: list[pb.DescribeRequest] = []
        self.forgotten: list[str] = []
        self.corrected = CorrectedResults()
        self.activations: list[tuple[str, str]] = []
        self.refuse_activation: RefusalError | None = None
        self.metadata: dict[str, str] = {}
        self.calls = 0
        self.cancelled = asyncio.Event()
        self._arrived = asyncio.Event()

    async def Transcribe(self, request_iterator: Any, context: Any) -> Events:  # noqa: N802
        """Read everything, then do as the test says."""
        self._enter(context)
        if self.admit is not None:
            await self.admit(context)
        await context.send_initial_metadata(())
        options, audio = pb.TranscribeOptions(), bytearray()
        job: KeptJob | None = None
        is_complete = False
        try:
            async for request in request_iterator:
                if request.WhichOneof("payload") == "options":
                    options = request.options
                    if options.HasField("job"):
                        job = await self._accept(options, context)
                        accepted = pb.Accepted(context=job.context, kept=True)
                        yield pb.TranscribeEvent(accepted=accepted)
                is_complete |= request.HasField("complete")
                audio += request.audio_chunk
        finally:
            if job is not None:
                job.attended = False
        if job is None:
            self.transcriptions.append((options, bytes(audio)))
            self._arrived.set()
            async for event in self._played(self.transcribe(options, bytes(audio)), context):
                yield self._as_heard(event)
            return
        if not is_complete:
            return
        self.transcriptions.append((options, bytes(audio)))
        self._arrived.set()
        job.audio = bytes(audio)
        async for event in self._attended(job, context):
            yield event

    def _as_heard(self, event: pb.TranscribeEvent) -> pb.TranscribeEvent:
        """The event, where it is a result with what every result says of itself."""
        if event.WhichOneof("event") != "result":
            return event
        described = self.corrected.describe(event.result, event.result.result_id)
        return pb.TranscribeEvent(result=described)

    async def _accept(self, options: pb.TranscribeOptions, context: Any) -> KeptJob:
        name = (options.job.bot, options.job.key)
        job = self.jobs.setdefault(name, KeptJob(options, options.job.context))
        if job.attended or job.closed.is_set() or job.audio is not None:
            await self.end(RefusalError(6, "JOB_TAKEN"), context)
        job.attended = True
        return job

    async def _attended(self, job: KeptJob, context: Any) -> Events:
        """Play a job, and hold the call until it is closed."""
        assert job.audio is not None
        job.attended = True
        try:
            async for event in self._played(self.transcribe(job.options, job.audio), context):
                yield self._as_heard(event)
            await job.closed.wait()
        finally:
            job.attended = False

    async def Attach(self, request: jpb.AttachRequest, context: Any) -> Events:  # noqa: N802
        """Play a job again; what it does is the test's."""
        self._enter(context)
        job = self.jobs.get((request.bot, request.key))
        if job is None or job.closed.is_set() or job.audio is None:
            await self.end(RefusalError(5, "JOB_UNKNOWN"), context)
            return
        if job.attended:
            await self.end(RefusalError(6, "JOB_TAKEN"), context)
        async for event in self._attended(job, context):
            yield event

    async def ListOpen(  # noqa: N802
        self, request: jpb.ListOpenRequest, context: Any
    ) -> jpb.ListOpenResponse:
        """The jobs that are not closed."""
        return jpb.ListOpenResponse(
            jobs=[
                jpb.OpenJob(
                    key=key,
                    context=job.context,
                    state=jpb.JOB_STATE_RUNNING if job.audio else jpb.JOB_STATE_UPLOADING,
                    attended=job.attended,
                )
                for (bot, key), job in self.jobs.items()
                if bot == request.bot and not job.closed.is_set()
            ]
        )

    async def Note(self, request: jpb.NoteRequest, context: Any) -> jpb.NoteResponse:  # noqa: N802
        """Replace a context."""
        if (job := self.jobs.get((request.bot, request.key))) is not None:
            job.context = request.context
        return jpb.NoteResponse()

    async def Close(self, request: jpb.CloseRequest, context: Any) -> jpb.CloseResponse:  # noqa: N802
        """Close a job."""
        if (job := self.jobs.get((request.bot, request.key))) is not None:
            job.closed.set()
        return jpb.CloseResponse()

    async def Render(self, request: pb.RenderRequest, context: Any) -> Events:  # noqa: N802
        """Do as the test says."""
        self._enter(context)
        self.renders.append(request)
        result_id = self.corrected.correct(request.result_id, request.render)
        settled = pb.RenderRequest(result_id=request.result_id, render=transpose(request.render))
        async for event in self._played(self.render(settled), context):
            if event.WhichOneof("event") == "result":
                described = self.corrected.describe(event.result, result_id)
                event = pb.TranscribeEvent(result=described)
            yield event

    async def Continue(self, request: pb.ContinueRequest, context: Any) -> Events:  # noqa: N802
        """Do as the test says."""
        self._enter(context)
        self.continuations.append(request)
        async for event in self._played(self.go_on(request), context):
            yield event

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.Result:  # noqa: N802
        """The result of the usual rendering."""
        self._enter(context)
        self.descriptions.append(request)
        if self.before_description is not None:
            await self.before_description()
        return self.described(request.render, request.result_id)

    async def Forget(  # noqa: N802
        self, request: pb.ForgetRequest, context: Any
    ) -> pb.ForgetResponse:
        """Note what is to be forgotten."""
        self._enter(context)
        if isinstance(self.refusal, RefusalError):
            await self.end(self.refusal, context)
        self.forgotten += request.result_ids
        return pb.ForgetResponse()

    def described(self, render: pb.RenderOptions, result_id: str) -> pb.Result:
        """The result of the usual rendering, corrected as the request says."""
        corrected_id = self.corrected.correct(result_id, render)
        return self.corrected.describe(result(transpose(render)), corrected_id)

    async def refuse(self, context: Any, result_id: str) -> None:
        """End the call if the test says so, or if the result is gone."""
        self._enter(context)
        if isinstance(self.refusal, RefusalError):
            await self.end(self.refusal, context)
        if result_id in self.expired:
            await self.end(RefusalError(5, "RESULT_EXPIRED"), context)

    async def List(self, request: mpb.ListRequest, context: Any) -> mpb.ListResponse:  # noqa: N802
        """Three models."""
        self._enter(context)
        return mpb.ListResponse(
            models=[
                mpb.Model(
                    task="voice",
                    name="swift-f0",
                    version="0.3.0",
                    licence="MIT",
                    state=mpb.MODEL_STATE_ACTIVE,
                    figures={"voice_dev onset+pitch F1": 0.658},
                ),
                mpb.Model(
                    task="piano", name="transkun", version="2.0.1", state=mpb.MODEL_STATE_AVAILABLE
                ),
                mpb.Model(
                    task="separation",
                    name="htdemucs",
                    version="4",
                    state=mpb.MODEL_STATE_NOT_FETCHED,
                    size_bytes=84_000_000,
                ),
            ]
        )

    async def Activate(  # noqa: N802
        self, request: mpb.ActivateRequest, context: Any
    ) -> mpb.ActivateResponse:
        """Agree, or refuse as the test says."""
        self._enter(context)
        self.activations.append((request.task, request.model))
        if self.refuse_activation is not None:
            await context.abort_with_status(
                rpc_status.to_status(self.refuse_activation.to_status())
            )
        model = mpb.Model(task=request.task, name=request.model, version="2")
        return mpb.ActivateResponse(model=model, previous="old@1")

    async def Status(  # noqa: N802
        self, request: mpb.StatusRequest, context: Any
    ) -> mpb.StatusResponse:
        """Idle on a CPU."""
        self._enter(context)
        return mpb.StatusResponse(
            version="0.1.0",
            device="cpu",
            memory_bytes=900_000_000,
            queue_limit=8,
            uptime_s=7300.0,
            completed=12,
            failed=3,
            active={"voice": "swift-f0@0.3.0"},
            versions={"torch": "2.13.0"},
            ready=True,
        )

    async def wait_for_transcriptions(self, count: int) -> None:
        """Wait until ``count`` requests have come."""
        async with asyncio.timeout(10):
            while len(self.transcriptions) < count:
                self._arrived.clear()
                await self._arrived.wait()

    def _enter(self, context: Any) -> None:
        self.calls += 1
        self.metadata = dict(context.invocation_metadata())

    async def end(self, refusal: RefusalError, context: Any) -> None:
        """End a call as the service would."""
        await context.abort_with_status(rpc_status.to_status(refusal.to_status()))

    async def _played(self, events: Events, context: Any) -> Events:
        try:
            async for event in events:
                yield event
        except RefusalError as refusal:
            await self.end(refusal, context)
        except (asyncio.CancelledError, GeneratorExit):  # the latter where it cut an event short
            self.cancelled.set()
            raise


@contextlib.asynccontextmanager
async def serve(service: FakeService, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """Serve on a free port of this machine; yield the address."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    transcription_pb2_grpc.add_TranscriptionServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    jobs_pb2_grpc.add_JobsServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    practice_pb2_grpc.add_PracticeServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    models_pb2_grpc.add_ModelsServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)


@contextlib.asynccontextmanager
async def service_process() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A service in another process, whose jobs never end; yield it and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield process, line.decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def start_and_stay(options: pb.TranscribeOptions, audio: bytes) -> Events:
    """A job that never ends."""
    yield queued(0)
    yield progress(pb.STAGE_SEPARATION, 0.3)
    await asyncio.Event().wait()


async def _main() -> None:
    service = FakeService()
    service.transcribe = start_and_stay
    async with serve(service) as address:
        print(address, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
