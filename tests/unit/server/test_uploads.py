"""The least pace of an upload."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable

import pytest
from notabot.v1 import transcription_pb2

from inference_service.errors import DeadlineExceeded
from inference_service.server.uploads import Pace

Request = transcription_pb2.TranscribeRequest


async def arrive(pieces: Iterable[tuple[float, bytes]]) -> AsyncGenerator[Request]:
    """Yield each piece after a pause."""
    for pause_s, piece in pieces:
        await asyncio.sleep(pause_s)
        yield Request(audio_chunk=piece)


async def receive(pace: Pace, pieces: Iterable[tuple[float, bytes]]) -> bytes:
    return b"".join([message.audio_chunk async for message in pace.keep(arrive(pieces))])


async def test_silence_ends_an_upload() -> None:
    start_s = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await receive(Pace(0.1, 1.0, 60.0), [(30.0, b"late")])
    assert time.monotonic() - start_s < 5


async def test_a_byte_now_and_then_does_not_hold_a_place() -> None:
    start_s = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await receive(Pace(0.3, 1000.0, 60.0), [(0.02, b"a")] * 1000)
    assert time.monotonic() - start_s < 5


async def test_short_silences_do_no_harm() -> None:
    pieces = [(0.1, bytes(1000))] * 8
    assert len(await receive(Pace(0.4, 2000.0, 60.0), pieces)) == 8000


async def test_bytes_that_came_early_do_not_excuse_a_long_silence() -> None:
    with pytest.raises(DeadlineExceeded):
        await receive(Pace(0.1, 1.0, 60.0), [(0.0, bytes(100_000)), (30.0, b"late")])


async def test_the_whole_upload_has_a_limit() -> None:
    with pytest.raises(DeadlineExceeded):
        await receive(Pace(10.0, 1.0, 0.2), [(0.02, b"enough")] * 1000)


async def test_lateness_is_what_is_missing_of_the_least_rate() -> None:
    pace = Pace(10.0, 1000.0, 60.0)
    receiving = asyncio.create_task(receive(pace, [(0.0, bytes(10)), (0.2, b"a"), (30.0, b"")]))
    await asyncio.sleep(0.5)
    assert 0.4 < pace.late_s < 2.0, "a byte makes up for a millisecond"
    receiving.cancel()


async def test_an_upload_that_is_waited_for_gives_way_at_once() -> None:
    pace = Pace(10.0, 1.0, 60.0)
    receiving = asyncio.create_task(receive(pace, [(30.0, b"late")]))
    await asyncio.sleep(0.05)
    pace.give_way()
    with pytest.raises(DeadlineExceeded, match="others were waiting"):
        await asyncio.wait_for(receiving, 2.0)
    assert pace.late_s == 0.0
