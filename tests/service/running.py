"""A real server with the tests' small stages, and helpers to call it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status
from notabot.v1 import (
    models_pb2_grpc,
    practice_pb2_grpc,
    transcription_pb2,
    transcription_pb2_grpc,
)

from inference_service.assembly import Pipeline, build_service
from inference_service.audio.waveform import Waveform
from inference_service.engine.catalog import Catalog, PublishedFile
from inference_service.engine.memory import Claim
from inference_service.music.events import (
    Alternative,
    Beat,
    Key,
    NoteEvent,
    Part,
    Transcription,
)
from inference_service.pipeline.options import ContinueOptions, Format, Preset, RenderOptions
from inference_service.pipeline.render import Artifact, Rendering, describe
from inference_service.pipeline.stages import StageSet, Task
from inference_service.pipeline.transcribe import OnPreset
from inference_service.progress import Progress, Stage
from inference_service.server.app import Service
from inference_service.settings import Settings
from inference_service.tiny import build_tiny_catalog
from tests.factories import sing_flat
from tests.unit.model_zoo.server import CONTENT, SHA256

LOCAL = "127.0.0.1:0"


def build_settings(directory: Path, **groups: dict[str, Any]) -> Settings:
    """Settings of a service on a free port, without metrics, that keeps its files in a folder."""
    defaults: dict[str, dict[str, Any]] = {
        "server": {"listen": LOCAL, "metrics_listen": "off"},
        # Many tests send the same bytes again, and are about the work.
        "cache": {"directory": directory / "results", "reuse": False},
        "models": {"profile": "tiny", "weights": directory / "weights"},
    }
    merged = {
        name: {**defaults.get(name, {}), **groups.get(name, {})} for name in defaults | groups
    }
    return Settings(_env_file=None, **merged)  # type: ignore[arg-type]


def build_far_catalog(url: str) -> Catalog:
    """The small models, and a separator to fetch, which the profile prefers: its name is "far"."""
    tiny = build_tiny_catalog()
    file = PublishedFile(url=url, sha256=SHA256, size_bytes=len(CONTENT))
    far = tiny.named("mid-side").model_copy(update={"name": "far", "kind": "url", "files": (file,)})
    profile = {**tiny.profiles["tiny"], Task.SEPARATION: ("far", "mid-side")}
    return Catalog(profiles={"tiny": profile}, models=(*tiny.models, far))


class HeldPipeline(Pipeline):
    """A pipeline that transcribes nothing and holds each request until it is released.

    A held request reports its progress every few milliseconds, as a stage does.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.audio, keeps_recordings=False)
        self.release = threading.Event()
        self.began: list[str] = []
        self.ended: list[str] = []
        self.report_count = 0
        self.stems: dict[str, bytes] = {}
        self.sung_flat = False
        self.alternatives: tuple[Alternative, ...] = ()
        self.continued: list[tuple[Transcription, ContinueOptions]] = []

    def decode(self, data: bytes, progress: Progress, claim: Claim | None = None) -> Waveform:
        """Return one sample for each byte, which make up the name of the recording."""
        progress(Stage.DECODE, 1.0)
        return Waveform(np.frombuffer(data, np.uint8).astype(np.float32)[np.newaxis], 44100)

    def transcribe(
        self,
        waveform: Waveform,
        preset: Preset,
        stages: StageSet,
        progress: Progress,
        kept: MutableMapping[str, bytes],
        on_preset: OnPreset | None = None,
    ) -> Transcription:
        name = bytes(waveform.mono().astype(np.uint8)).decode()
        self.began.append(name)
        try:
            progress(Stage.TUNING, 0.0)
            while not self.release.wait(0.01):
                progress(Stage.TAGGING, 0.5)
                self.report_count += 1
            progress(Stage.TAGGING, 1.0)
        finally:
            self.ended.append(name)
        kept.update(self.stems)
        heard = build_transcription(dict(stages.models))
        heard = replace(heard, alternatives=self.alternatives)
        return sing_flat(heard, [0]) if self.sung_flat else heard

    def render(
        self,
        transcription: Transcription,
        options: RenderOptions,
        progress: Progress,
        kept: Mapping[str, bytes],
    ) -> Rendering:
        progress(Stage.NOTATION, 1.0)
        if options.formats == {Format.STEMS}:
            files = [Artifact(name, "audio/ogg", stem) for name, stem in sorted(kept.items())]
        else:
            files = [
                Artifact("title.txt", "text/plain", options.title.encode()),
                Artifact("empty.txt", "text/plain", b""),
            ]
        return _render(transcription, options, *files)

    def continue_music(
        self, music: Transcription, options: ContinueOptions, progress: Progress
    ) -> Rendering:
        """Record what was requested."""
        for done in (0.0, 0.5, 1.0):
            progress(Stage.CONTINUATION, done)
        self.continued.append((music, options))
        title = options.render.title.encode()
        return _render(music, options.render, Artifact("continuation.mid", "audio/midi", title))


def _render(
    transcription: Transcription, options: RenderOptions, *artifacts: Artifact
) -> Rendering:
    return replace(describe(transcription, options), artifacts=artifacts)


def build_transcription(models: dict[str, str] | None = None) -> Transcription:
    """Return two notes in A minor."""
    notes = (NoteEvent(0.0, 0.5, 69), NoteEvent(0.5, 1.0, 72))
    return Transcription(
        duration_s=1.0,
        tuning_cents=0.0,
        tempo_bpm=120.0,
        time_signature="4/4",
        key=Key("A", "minor"),
        parts=(Part("vocals", "Vocals", notes, 52),),
        beats=(Beat(0.0, 1), Beat(0.5, 2)),
        chords=(),
        models=models or {"voice": "autocorrelation@1"},
        timings_s={"tagging": 0.1},
        preset="voice",
    )


@dataclass
class Running:
    """A running service, and stubs to call it."""

    service: Service
    channel: grpc.aio.Channel
    transcription: Any = field(init=False)
    practice: Any = field(init=False)
    models: Any = field(init=False)
    health: Any = field(init=False)

    def __post_init__(self) -> None:
        self.transcription = transcription_pb2_grpc.TranscriptionStub(self.channel)  # type: ignore[no-untyped-call]
        self.practice = practice_pb2_grpc.PracticeStub(self.channel)  # type: ignore[no-untyped-call]
        self.models = models_pb2_grpc.ModelsStub(self.channel)  # type: ignore[no-untyped-call]
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def transcribe(self, data: bytes, **call: Any) -> Any:
        """Begin a call with the voice preset."""
        return self.transcription.Transcribe(iter(messages(data)), **call)


@asynccontextmanager
async def run_service(
    settings: Settings, *, load: bool = True, **overrides: Any
) -> AsyncIterator[Running]:
    """Start a service made by the production factory, and stop it afterwards."""
    service = build_service(settings, **overrides)
    await service.start()
    if load:
        await service.load()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        try:
            yield Running(service, channel)
        finally:
            await service.stop()


def messages(
    data: bytes,
    preset: transcription_pb2.Preset = transcription_pb2.PRESET_VOICE,
    chunk_bytes: int = 65536,
    **render: Any,
) -> Iterable[transcription_pb2.TranscribeRequest]:
    """Yield what a caller sends: the options, then the audio in chunks."""
    options = transcription_pb2.TranscribeOptions(
        preset=preset, render=transcription_pb2.RenderOptions(**render)
    )
    yield transcription_pb2.TranscribeRequest(options=options)
    for start in range(0, len(data), chunk_bytes):
        chunk = data[start : start + chunk_bytes]
        yield transcription_pb2.TranscribeRequest(audio_chunk=chunk)


async def drain(call: Any) -> list[Any]:
    """Return every event of a call."""
    return [event async for event in call]


async def last(call: Any) -> Any:
    """Return the last event of a call, which is its result."""
    return (await drain(call))[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Wait until another thread or process has made a condition true."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@dataclass
class Failure:
    """How a call failed."""

    status: grpc.StatusCode
    reason: str
    params: dict[str, str]
    retry_after_s: float | None


def read_failure(error: grpc.aio.AioRpcError) -> Failure:
    """Read the details of a failed call, by gRPC's own library."""
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error.code()} {error.details()}"
    info, retry = ErrorInfo(), RetryInfo()
    delay: float | None = None
    for detail in status.details:
        if detail.Unpack(retry):
            delay = retry.retry_delay.ToTimedelta().total_seconds()
        else:
            assert detail.Unpack(info)
    assert info.domain == "notabot"
    return Failure(error.code(), info.reason, dict(info.metadata), delay)
