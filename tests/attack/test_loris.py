"""Streams that take a place and send, or read, next to nothing.

Those that only `make attack` tries, `tests/service/test_slow_callers.py` tries one by one.
"""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from notabot.v1 import transcription_pb2 as pb
from notabot.v1 import transcription_pb2_grpc

from inference_service.server.scrape import MAX_CONNECTIONS
from inference_service.settings import EngineSettings
from tests.attack.strangers import stranger
from tests.attack.table import Row
from tests.attack.victim import Victim, honest_person, sing
from tests.factories import build_notes, build_scale, encode_audio
from tests.service.running import free_port, messages

PLACES = EngineSettings.model_fields["queue_size"].default
ENDS = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
ATTACK_S = 20.0


async def trickle() -> AsyncIterator[pb.TranscribeRequest]:
    """Send the options, then a byte a second."""
    yield pb.TranscribeRequest(options=pb.TranscribeOptions(preset=pb.PRESET_VOICE))
    while True:
        await asyncio.sleep(1.0)
        yield pb.TranscribeRequest(audio_chunk=b"a")


def begin(channel: grpc.aio.Channel) -> Any:
    """Begin a stream that trickles."""
    stub = transcription_pb2_grpc.TranscriptionStub(channel)  # type: ignore[no-untyped-call]
    return stub.Transcribe(trickle(), timeout=120.0)


async def outcome(call: Any) -> grpc.StatusCode:
    """Return how a stream ended."""
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_idle_streams_of_one_address(
    victim: Victim, environment: dict[str, str], row: Row, longest_wait_s: float
) -> None:
    row.before_mb = await victim.settled_mb()
    async with stranger(environment["NOTABOT_SERVER_LISTEN"], "127.0.0.2") as channel:
        calls = [begin(channel) for _ in range(3 * PLACES)]
        await asyncio.sleep(1.0)
        async with honest_person(victim, row):
            codes = await asyncio.gather(*map(outcome, calls))
    for code in codes:
        row.note(survived=code in ENDS)
    row.after_mb = await victim.settled_mb()
    assert (row.survived, row.lost) == (row.tried, 0)
    assert row.longest_wait_s < longest_wait_s


@pytest.fixture
def metrics_address(environment: dict[str, str]) -> str:
    """Address of the metrics of a service that is started later."""
    environment["NOTABOT_SERVER_METRICS_LISTEN"] = f"127.0.0.1:{free_port()}"
    return environment["NOTABOT_SERVER_METRICS_LISTEN"]


def scrape(address: str) -> bytes:
    """Return the metrics."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as response:
        return bytes(response.read())


async def test_half_requests_for_metrics(
    metrics_address: str, victim: Victim, row: Row, longest_wait_s: float
) -> None:
    """The longest wait is that of a scrape."""
    host, _, port = metrics_address.partition(":")
    await asyncio.to_thread(scrape, metrics_address)
    row.before_mb = await victim.settled_mb()
    threads, descriptors = victim.threads(), victim.descriptors()
    writers = []
    for _ in range(300):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: a")
        writers.append(writer)
        row.note(survived=victim.threads() <= threads + 1)
    for _ in range(5):
        start_s = time.monotonic()
        assert b"notabot_busy" in await asyncio.to_thread(scrape, metrics_address)
        row.longest_wait_s = max(row.longest_wait_s, time.monotonic() - start_s)
    assert victim.descriptors() <= descriptors + MAX_CONNECTIONS + 1
    row.after_mb = await victim.settled_mb()
    for writer in writers:
        writer.transport.abort()
    assert row.survived == row.tried
    assert row.longest_wait_s < longest_wait_s


@pytest.mark.attack
async def test_idle_streams_of_many_addresses(
    victim: Victim, environment: dict[str, str], row: Row, longest_wait_s: float
) -> None:
    """They hold all the places, and come again when they have lost them."""
    row.before_mb = await victim.settled_mb()
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(
                stranger(environment["NOTABOT_SERVER_LISTEN"], f"127.0.0.{number + 2}")
            )
            for number in range(PLACES)
        ]
        calls = [begin(channel) for channel in channels]
        await asyncio.gather(*(call.initial_metadata() for call in calls))
        assert (await victim.send(sing()))[0] == "QUEUE_FULL", "until they are late"
        end_s = time.monotonic() + ATTACK_S

        async def come_again(channel: grpc.aio.Channel, call: Any) -> None:
            row.note(survived=await outcome(call) is grpc.StatusCode.DEADLINE_EXCEEDED)
            while time.monotonic() < end_s:
                code = await outcome(begin(channel))
                row.note(survived=code in ENDS)
                await asyncio.sleep(1.0)

        async with honest_person(victim, row):
            await asyncio.gather(*map(come_again, channels, calls))
    row.after_mb = await victim.settled_mb()
    assert (row.survived, row.lost) == (row.tried, 0)
    assert row.longest_wait_s < longest_wait_s


@pytest.mark.attack
async def test_answers_that_nobody_reads(
    victim: Victim, environment: dict[str, str], row: Row, longest_wait_s: float
) -> None:
    """More than there are places, each with pages that do not fit the window of its call."""
    song = encode_audio(build_notes(build_scale()).samples[0], "ogg-opus")
    row.before_mb = await victim.settled_mb()
    async with AsyncExitStack() as stack:
        calls = []
        async with honest_person(victim, row):
            for number in range(PLACES + 4):
                address = stranger(environment["NOTABOT_SERVER_LISTEN"], f"127.0.0.{number + 2}")
                channel = await stack.enter_async_context(address)
                stub = transcription_pb2_grpc.TranscriptionStub(channel)  # type: ignore[no-untyped-call]
                sent = messages(song, pb.PRESET_VOICE)
                calls.append(stub.Transcribe(iter(sent), timeout=120.0))
            await asyncio.sleep(ATTACK_S)
        for call in calls:
            row.note(survived=not call.done() or (await outcome(call)) in ENDS)
            call.cancel()
    row.after_mb = await victim.settled_mb()
    assert (row.survived, row.lost) == (row.tried, 0)
    assert row.longest_wait_s < longest_wait_s
