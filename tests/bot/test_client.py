"""The gRPC client: what it sends, what it tries again, and how failures look."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import grpc
import pytest
from grpc.aio import Metadata
from notabot.v1 import transcription_pb2 as pb

from bot.client import attempts
from bot.client.calls import CHUNK_BYTES, ServiceClient, collect
from bot.client.conversion import decode_error
from bot.client.types import (
    Artifact,
    Format,
    Preset,
    Progress,
    Queued,
    RenderOptions,
    Result,
    Stage,
    View,
)
from bot.errors import ServiceError
from bot.room import Place, Room
from tests.bot.service import (
    Events,
    FakeService,
    RefusalError,
    files,
    queue_full,
    queued,
    result,
    serve,
    service_process,
    start_and_stay,
    succeed,
)

AUDIO = bytes(range(256)) * 1000


def send(audio: bytes) -> Callable[[], AsyncGenerator[bytes]]:
    """A recording as the client reads it."""

    async def read() -> AsyncGenerator[bytes]:
        for start in range(0, len(audio), CHUNK_BYTES):
            yield audio[start : start + CHUNK_BYTES]

    return read


def ignore(event: object) -> None:
    """Watch nothing."""


def anywhere() -> Place:
    """A place that is free."""
    return Room(1).place()


OPTIONS = RenderOptions(View.PIANO, -3, (Format.PNG, Format.MIDI), "Lied")


async def test_a_transcription_from_end_to_end(service: tuple[FakeService, str]) -> None:
    fake, address = service
    async with ServiceClient(address, token="secret") as client:
        events = client.transcribe(
            send(AUDIO), preset=Preset.VOICE, options=OPTIONS, request_id="request-1"
        )
        got = [event async for event in events]

    [(options, audio)] = fake.transcriptions
    assert audio == AUDIO
    assert options.preset == pb.PRESET_VOICE
    assert options.render == pb.RenderOptions(
        view=pb.VIEW_PIANO,
        transpose_semitones=-3,
        formats=[pb.FORMAT_PNG, pb.FORMAT_MIDI],
        title="Lied",
        language="en",
    )
    assert fake.metadata["x-request-id"] == "request-1"
    assert fake.metadata["authorization"] == "Bearer secret"
    assert got[:2] == [Queued(1), Queued(0)]
    assert isinstance(got[2], Progress)
    assert got[2].stage is Stage.DECODE
    assert got[2].fraction == pytest.approx(0.05)
    assert Artifact("score.mid", "application/test", b"score.mid" * 3) in got
    last = got[-1]
    assert isinstance(last, Result)
    assert (last.view, last.transpose_semitones) == (View.PIANO, -3)
    assert (last.key.tonic, last.key.mode, last.rendered_key.tonic) == ("A", "minor", "F#")
    assert len(last.chords) == 4


async def test_a_result_is_described_without_files(service: tuple[FakeService, str]) -> None:
    fake, address = service
    async with ServiceClient(address) as client:
        found = await client.describe("0123456789ab", OPTIONS, request_id="r")
    assert (found.result_id, found.view) == ("0123456789ab", View.PIANO)
    assert [request.result_id for request in fake.descriptions] == ["0123456789ab"]


async def test_every_replica_of_the_service_is_called() -> None:
    replicas = (FakeService(), FakeService())
    async with (
        serve(replicas[0]) as first,
        serve(replicas[1]) as second,
        ServiceClient(f"ipv4:{first},{second}") as client,
        asyncio.timeout(10),
    ):
        while not all(replica.descriptions for replica in replicas):
            await client.describe("0123456789ab", OPTIONS, request_id="r")


async def test_chunks_are_small() -> None:
    sizes = []

    class Measuring(FakeService):
        async def Transcribe(self, request_iterator: Any, context: Any) -> Events:  # noqa: N802
            await context.send_initial_metadata(())
            sizes.extend([len(request.audio_chunk) async for request in request_iterator])
            yield pb.TranscribeEvent(result=result())

    async with serve(Measuring()) as address, ServiceClient(address) as client:
        await collect(client.transcribe(send(bytes(200_000)), request_id="r"), ignore, anywhere())
    assert sizes == [0, 65536, 65536, 65536, 200_000 - 3 * 65536]


async def test_a_refusal_carries_its_code_and_hint(service: tuple[FakeService, str]) -> None:
    fake, address = service

    async def refuse(options: pb.TranscribeOptions, audio: bytes) -> Events:
        raise queue_full()
        yield

    fake.transcribe = refuse
    async with ServiceClient(address) as client:
        with pytest.raises(ServiceError) as caught:
            await collect(client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere())
    assert caught.value.code == "QUEUE_FULL"
    assert caught.value.retry_after_s == 90.0
    assert fake.calls == 1


async def test_what_the_service_refused_as_unavailable_is_tried_once_more(
    service: tuple[FakeService, str],
) -> None:
    fake, address = service

    async def refuse_first(options: pb.TranscribeOptions, audio: bytes) -> Events:
        if fake.calls == 1:
            raise RefusalError(14, "NOT_READY", retry_after_s=0.1)
        async for event in succeed(options, audio):
            yield event

    fake.transcribe = refuse_first
    async with ServiceClient(address) as client:
        _, artifacts = await collect(
            client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere()
        )
    assert fake.calls == 2
    assert [artifact.name for artifact in artifacts] == ["score-1.png"]


async def test_not_a_third_time(service: tuple[FakeService, str]) -> None:
    fake, address = service

    async def refuse(options: pb.TranscribeOptions, audio: bytes) -> Events:
        raise RefusalError(14, "NOT_READY", retry_after_s=0.1)
        yield

    fake.transcribe = refuse
    async with ServiceClient(address) as client:
        with pytest.raises(ServiceError, match="NOT_READY"):
            await collect(client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere())
    assert fake.calls == 2


async def test_a_long_hint_is_left_to_the_person(service: tuple[FakeService, str]) -> None:
    fake, address = service

    async def refuse(options: pb.TranscribeOptions, audio: bytes) -> Events:
        raise RefusalError(14, "SHUTTING_DOWN", retry_after_s=60)
        yield

    fake.transcribe = refuse
    async with ServiceClient(address) as client:
        with pytest.raises(ServiceError, match="SHUTTING_DOWN"):
            await collect(client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere())
    assert fake.calls == 1


async def test_what_has_begun_is_never_tried_again(service: tuple[FakeService, str]) -> None:
    fake, address = service

    async def fail_later(options: pb.TranscribeOptions, audio: bytes) -> Events:
        yield queued(0)
        raise RefusalError(14, "SHUTTING_DOWN", retry_after_s=0.1)

    fake.transcribe = fail_later
    async with ServiceClient(address) as client:
        with pytest.raises(ServiceError, match="SHUTTING_DOWN"):
            await collect(client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere())
    assert fake.calls == 1


async def test_an_unreachable_service_is_tried_twice(free_port: int) -> None:
    async with ServiceClient(f"127.0.0.1:{free_port}") as client:
        started_s = time.monotonic()
        with pytest.raises(ServiceError, match="SERVICE_UNREACHABLE"):
            await collect(client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere())
        assert 1.0 < time.monotonic() - started_s < 5.0


async def test_a_service_that_comes_back_meanwhile_is_found(
    free_port: int, first_try_failed: asyncio.Event
) -> None:
    fake = FakeService()
    async with ServiceClient(f"127.0.0.1:{free_port}") as client:
        job = asyncio.create_task(
            collect(client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere())
        )
        await asyncio.wait_for(first_try_failed.wait(), 10)
        async with serve(fake, f"127.0.0.1:{free_port}"):
            _, artifacts = await asyncio.wait_for(job, 10)
    assert [artifact.name for artifact in artifacts] == ["score-1.png"]
    assert fake.calls == 1


async def test_a_killed_service_is_noticed_within_5_s_and_its_successor_found() -> None:
    async with service_process() as (process, address), ServiceClient(address) as client:
        started = asyncio.Event()
        job = asyncio.create_task(
            collect(
                client.transcribe(send(AUDIO), request_id="r"),
                lambda event: started.set(),
                anywhere(),
            )
        )
        await asyncio.wait_for(started.wait(), 10)
        process.kill()
        killed_s = time.monotonic()
        with pytest.raises(ServiceError, match="SERVICE_LOST"):
            await asyncio.wait_for(job, 5)
        assert time.monotonic() - killed_s < 5
        await process.wait()

        async with serve(FakeService(), address):
            found, _ = await collect(
                client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere()
            )
    assert found.tempo_bpm == pytest.approx(120.2)


async def test_a_service_that_vanishes_without_a_word_is_noticed_within_5_s() -> None:
    """A stopped process keeps its connection and answers nothing, like a machine cut off."""
    async with service_process() as (process, address), ServiceClient(address) as client:
        started = asyncio.Event()
        job = asyncio.create_task(
            collect(
                client.transcribe(send(AUDIO), request_id="r"),
                lambda event: started.set(),
                anywhere(),
            )
        )
        await asyncio.wait_for(started.wait(), 10)
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(ServiceError, match="SERVICE_LOST"):
            await asyncio.wait_for(job, 5)


async def test_silence_of_a_living_service_is_waited_out(service: tuple[FakeService, str]) -> None:
    fake, address = service

    async def think(options: pb.TranscribeOptions, audio: bytes) -> Events:
        yield queued(0)
        # Time itself is tested: several keepalive pings must have been answered meanwhile.
        await asyncio.sleep(7)
        yield pb.TranscribeEvent(result=result())

    fake.transcribe = think
    async with ServiceClient(address) as client:
        await collect(client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere())


async def test_closing_cancels_the_call(service: tuple[FakeService, str]) -> None:
    fake, address = service
    fake.transcribe = start_and_stay
    async with ServiceClient(address) as client:
        async with aclosing(client.transcribe(send(AUDIO), request_id="r")) as events:
            await anext(events)
        await asyncio.wait_for(fake.cancelled.wait(), 5)


async def test_a_stream_without_a_result_is_a_loss(service: tuple[FakeService, str]) -> None:
    fake, address = service

    async def forget(options: pb.TranscribeOptions, audio: bytes) -> Events:
        for event in files(options.render):
            yield event

    fake.transcribe = forget
    async with ServiceClient(address) as client:
        with pytest.raises(ServiceError, match="SERVICE_LOST"):
            await collect(client.transcribe(send(AUDIO), request_id="r"), ignore, anywhere())


@pytest.mark.parametrize(
    ("may_have_begun", "code"), [(True, "SERVICE_LOST"), (False, "SERVICE_UNREACHABLE")]
)
def test_an_internal_error_without_details_is_a_broken_connection(
    may_have_begun: bool, code: str
) -> None:
    error = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, Metadata(), Metadata())
    assert decode_error(error, may_have_begun=may_have_begun).code == code


async def test_rendering_may_be_repeated(free_port: int, first_try_failed: asyncio.Event) -> None:
    fake = FakeService()
    async with ServiceClient(f"127.0.0.1:{free_port}") as client:
        job = asyncio.create_task(
            collect(client.render("id", OPTIONS, request_id="r"), ignore, anywhere())
        )
        await asyncio.wait_for(first_try_failed.wait(), 10)
        async with serve(fake, f"127.0.0.1:{free_port}"):
            rendered, _ = await asyncio.wait_for(job, 10)
    assert rendered.result_id == "id"


async def test_models_are_asked_with_their_own_token(service: tuple[FakeService, str]) -> None:
    fake, address = service
    async with ServiceClient(address, token="user", admin_token="admin") as client:
        assert (await client.status(request_id="r")).device == "cpu"
        assert fake.metadata["authorization"] == "Bearer admin"


@pytest.fixture
def first_try_failed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when a call has failed and the pause before the second try begins."""
    failed = asyncio.Event()
    retry_pause_s = attempts.retry_pause_s

    def observe(*given: Any) -> float | None:
        failed.set()
        return retry_pause_s(*given)

    monkeypatch.setattr(attempts, "retry_pause_s", observe)
    return failed
