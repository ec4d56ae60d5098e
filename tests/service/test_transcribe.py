"""Transcribe: events, refusals, cancellation, deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from notabot.v1 import transcription_pb2

from inference_service.errors import AudioSilent
from inference_service.music.events import Transcription
from inference_service.settings import Settings
from tests.service.running import (
    HeldPipeline,
    Running,
    drain,
    messages,
    read_failure,
    run_service,
    wait_until,
)


async def fail(call: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await drain(call)
    return read_failure(raised.value)


async def test_events_come_in_the_documented_order(running: Running, held: HeldPipeline) -> None:
    call = running.transcription.Transcribe(iter(messages(b"a", title="A song")))
    await wait_until(lambda: held.began == ["a"])
    held.release.set()
    events = await drain(call)

    kinds = [event.WhichOneof("event") for event in events]
    order = ["queued", "progress", "artifact", "result"]
    assert sorted(kinds, key=order.index) == kinds
    assert kinds.count("result") == 1
    assert events[0].queued.position == 0
    fractions = [e.progress.overall_fraction for e in events if e.HasField("progress")]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1
    files = [e.artifact for e in events if e.HasField("artifact")]
    assert [(f.name, f.data, f.last) for f in files] == [
        ("title.txt", b"A song", True),
        ("empty.txt", b"", True),
    ]
    result = events[-1].result
    assert result.key.tonic == "A"
    assert result.key.mode == transcription_pb2.MODE_MINOR
    assert [note.pitch for note in result.parts[0].notes] == [69, 72]
    assert result.preset == transcription_pb2.PRESET_VOICE
    assert len(result.result_id) <= 16


async def test_initial_metadata_tells_that_the_request_began(
    running: Running, held: HeldPipeline
) -> None:
    first = running.transcribe(b"first")
    second = running.transcribe(b"second", metadata=(("x-request-id", "abc-1"),))
    await asyncio.wait_for(second.initial_metadata(), 1.0)
    held.release.set()
    await asyncio.gather(drain(first), drain(second))
    assert dict(await second.trailing_metadata())["x-request-id"] == "abc-1"


async def test_a_malformed_request_id_is_replaced(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    call = running.transcribe(b"a", metadata=(("x-request-id", "no spaces, please"),))
    await drain(call)
    given = dict(await call.trailing_metadata())["x-request-id"]
    assert given != "no spaces, please"
    assert len(given) == 16


async def test_positions_count_down(running: Running, held: HeldPipeline) -> None:
    calls = []
    for place, name in enumerate((b"a", b"b", b"c")):
        calls.append(aiter(running.transcribe(name)))
        assert (await anext(calls[-1])).queued.position == place
        await wait_until(lambda: held.began == ["a"])
    held.release.set()
    events = await drain(calls[2])
    places = [event.queued.position for event in events if event.HasField("queued")]
    assert places == sorted(places, reverse=True)
    assert set(places) >= {0, 1}
    await asyncio.gather(*map(drain, calls[:2]))


async def test_a_full_queue_answers_with_a_retry_hint(running: Running, held: HeldPipeline) -> None:
    calls = [running.transcribe(name) for name in (b"a", b"b", b"c")]
    await wait_until(lambda: len(running.service.engine.transcriptions) == 3)
    failure = await fail(running.transcribe(b"d"))
    assert failure.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert failure.reason == "QUEUE_FULL"
    assert failure.retry_after_s is not None
    assert failure.retry_after_s >= 1
    held.release.set()
    await asyncio.gather(*map(drain, calls))
    assert sorted(held.ended) == ["a", "b", "c"]
    await drain(running.transcribe(b"e"))


async def test_cancelling_the_running_request_frees_its_slot(
    running: Running, held: HeldPipeline
) -> None:
    call = running.transcribe(b"a")
    await wait_until(lambda: held.began == ["a"])
    call.cancel()
    await wait_until(
        lambda: held.ended == ["a"] and len(running.service.engine.transcriptions) == 0
    )
    assert not held.release.is_set()
    await wait_until(lambda: not running.service.engine.busy)
    held.release.set()
    await drain(running.transcribe(b"b"))


async def test_a_cancelled_waiting_request_never_begins(
    running: Running, held: HeldPipeline
) -> None:
    first, second, third = (running.transcribe(name) for name in (b"a", b"b", b"c"))
    await wait_until(lambda: len(running.service.engine.transcriptions) == 3)
    await wait_until(lambda: len(held.began) == 1)
    waiting = {b"a": first, b"b": second, b"c": third}
    running_call = waiting.pop(held.began[0].encode())
    cancelled, kept = waiting.items()
    cancelled[1].cancel()
    await wait_until(lambda: len(running.service.engine.transcriptions) == 2)
    held.release.set()
    await asyncio.gather(drain(running_call), drain(kept[1]))
    assert cancelled[0].decode() not in held.began


async def test_the_callers_deadline_stops_the_work(running: Running, held: HeldPipeline) -> None:
    call = running.transcribe(b"a", timeout=0.3)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await drain(call)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await wait_until(lambda: held.ended == ["a"])


async def test_our_own_deadline_stops_the_work(build: Callable[..., Settings]) -> None:
    settings = build(engine={"deadline_s": 0.2})
    held = HeldPipeline(settings)
    async with run_service(settings, use_cases=held) as running:
        failure = await fail(running.transcribe(b"a"))
        assert failure.status is grpc.StatusCode.DEADLINE_EXCEEDED
        assert failure.reason == "DEADLINE_EXCEEDED"
        await wait_until(lambda: held.ended == ["a"])
        assert running.service.engine.counters.failed == 1


async def test_a_request_that_waits_for_its_turn_past_the_deadline_is_reported(
    build: Callable[..., Settings],
) -> None:
    settings = build(engine={"deadline_s": 0.3})
    held = HeldPipeline(settings)
    async with run_service(settings, load=False, use_cases=held) as running:
        failure = await fail(running.transcribe(b"a"))
        assert failure.reason == "DEADLINE_EXCEEDED"
        assert held.began == []


async def test_requests_wait_while_models_load(settings: Settings, held: HeldPipeline) -> None:
    held.release.set()
    async with run_service(settings, load=False, use_cases=held) as running:
        events = aiter(running.transcribe(b"a"))
        assert (await anext(events)).queued.position == 0
        assert held.began == []
        await running.service.load()
        assert (await drain(events))[-1].HasField("result")


async def test_oversized_audio_is_refused_while_it_arrives(build: Callable[..., Settings]) -> None:
    settings = build(audio={"max_bytes": 1000})
    async with run_service(settings, use_cases=HeldPipeline(settings)) as running:

        async def unfinished() -> AsyncIterator[transcription_pb2.TranscribeRequest]:
            """Send a hundred times the limit, and never end the file."""
            yield from_options()
            for _ in range(200):
                yield transcription_pb2.TranscribeRequest(audio_chunk=b"x" * 600)
            await asyncio.Event().wait()

        failure = await fail(running.transcription.Transcribe(unfinished()))
        assert failure.status is grpc.StatusCode.INVALID_ARGUMENT
        assert failure.reason == "AUDIO_TOO_LARGE"
        assert failure.params == {"limit_bytes": "1000"}
        assert len(running.service.engine.transcriptions) == 0


@pytest.mark.parametrize("limit", ["upload_timeout_s", "upload_stall_s"])
async def test_a_stalled_upload_does_not_hold_its_slot(
    build: Callable[..., Settings], limit: str
) -> None:
    settings = build(server={limit: 0.2})
    async with run_service(settings, use_cases=HeldPipeline(settings)) as running:
        call = running.transcription.Transcribe()
        await call.write(from_options())
        failure = await fail(call)
        assert failure.reason == "DEADLINE_EXCEEDED"
        assert len(running.service.engine.transcriptions) == 0


def from_options(**options: Any) -> transcription_pb2.TranscribeRequest:
    return transcription_pb2.TranscribeRequest(
        options=transcription_pb2.TranscribeOptions(**options)
    )


AUDIO = transcription_pb2.TranscribeRequest(audio_chunk=b"abc")


@pytest.mark.parametrize(
    ("sent", "reason", "params"),
    [
        ([], "INVALID_OPTIONS", {"option": "payload"}),
        ([AUDIO], "INVALID_OPTIONS", {"option": "payload"}),
        ([transcription_pb2.TranscribeRequest()], "INVALID_OPTIONS", {"option": "payload"}),
        ([from_options()], "AUDIO_EMPTY", {}),
        ([from_options(), from_options()], "INVALID_OPTIONS", {"option": "payload"}),
        ([from_options(preset=99), AUDIO], "INVALID_OPTIONS", {"option": "preset"}),
        ([from_options(render={"view": 99}), AUDIO], "INVALID_OPTIONS", {"option": "view"}),
        (
            [from_options(render={"formats": [1, 0]}), AUDIO],
            "INVALID_OPTIONS",
            {"option": "formats"},
        ),
        (
            [from_options(render={"transpose_semitones": 25}), AUDIO],
            "INVALID_OPTIONS",
            {"option": "transpose"},
        ),
        (
            [from_options(render={"title": "x" * 201}), AUDIO],
            "INVALID_OPTIONS",
            {"option": "title"},
        ),
    ],
)
async def test_malformed_requests(
    running: Running, sent: list[Any], reason: str, params: dict[str, str]
) -> None:
    failure = await fail(running.transcription.Transcribe(iter(sent)))
    assert failure.status is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.reason == reason
    assert failure.params == params


class BrokenPipeline(HeldPipeline):
    """A pipeline that raises a given error."""

    def __init__(self, settings: Settings, error: Exception) -> None:
        super().__init__(settings)
        self.error = error

    def transcribe(self, *arguments: Any) -> Transcription:
        raise self.error


async def test_an_error_of_the_tree_is_reported(settings: Settings) -> None:
    broken = BrokenPipeline(settings, AudioSilent("nothing to hear"))
    async with run_service(settings, use_cases=broken) as running:
        failure = await fail(running.transcribe(b"a"))
        assert failure.status is grpc.StatusCode.INVALID_ARGUMENT
        assert failure.reason == "AUDIO_SILENT"


async def test_an_unforeseen_error_tells_nothing_of_the_inside(
    settings: Settings,
) -> None:
    broken = BrokenPipeline(settings, RuntimeError("secret path /etc/x"))
    async with run_service(settings, use_cases=broken) as running:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await drain(running.transcribe(b"a"))
        failure = read_failure(raised.value)
        assert failure.status is grpc.StatusCode.INTERNAL
        assert failure.reason == "INTERNAL"
        assert "secret" not in str(raised.value.details())
        broken.error = AudioSilent("still at work")
        assert (await fail(running.transcribe(b"a"))).reason == "AUDIO_SILENT"


async def test_a_title_loses_its_control_characters(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    call = running.transcription.Transcribe(iter(messages(b"a", title=" A\x00 \n song\x1b ")))
    events = await drain(call)
    assert events[-1].result.render.title == "A song"


async def test_a_slow_reader_gets_the_latest_progress_only(
    settings: Settings, held: HeldPipeline
) -> None:
    async with run_service(settings, use_cases=held) as running:
        call = running.transcribe(b"a")
        await wait_until(lambda: held.began == ["a"])
        await wait_until(lambda: held.report_count >= 100)
        held.release.set()
        events = await drain(call)
        assert sum(e.HasField("progress") for e in events) < 30


async def test_a_short_recording_passes_a_long_one(running: Running, held: HeldPipeline) -> None:
    """A byte of the held pipeline is a sample of a recording."""
    calls = [running.transcribe(b"a")]
    await wait_until(lambda: held.began == ["a"])
    calls.append(running.transcribe(b"l" * 44100 * 30))
    device = running.service.engine._device
    await wait_until(lambda: device.waiting == 1)
    calls.append(running.transcribe(b"s" * 44100))
    # Both decoded: one that is not is passed by any other.
    await wait_until(lambda: [job.ready for job in device._waiting] == [True, True])
    held.release.set()
    for call in calls:
        await drain(call)
    assert [name[0] for name in held.began] == ["a", "s", "l"]


async def test_the_queue_and_the_progress_tell_seconds(
    running: Running, held: HeldPipeline
) -> None:
    first = running.transcribe(b"a")
    await wait_until(lambda: held.began == ["a"])
    second = running.transcribe(b"b" * 44100 * 600)
    events = aiter(second)
    alone_s = 0.0
    async for event in events:
        if event.queued.position == 1 and event.queued.remaining_s > 1.0:
            alone_s = event.queued.remaining_s
            break
    assert alone_s > 1.0
    held.release.set()
    kinds = [event async for event in events]
    shown = [event.progress for event in kinds if event.HasField("progress")]
    assert all(update.HasField("remaining_s") for update in shown)
    assert shown[-1].remaining_s < 1.0
    await drain(first)
