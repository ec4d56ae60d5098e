"""What the bot holds in memory does not grow with the number and size of recordings."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from notabot.v1 import transcription_pb2 as pb

from tests.bot.botapi import FakeTelegram, Fault
from tests.bot.conftest import polling
from tests.bot.service import Events, FakeService, RefusalError, artifact, result, serve

FILE_BYTES = 6_000_000
SCORE_BYTES = 2_000_000
FIRST = 19
PEOPLE = range(20, 32)


class Counting(FakeService):
    """A service that keeps no recordings, only their sizes; its sender has a slow line."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def Transcribe(self, request_iterator: Any, context: Any) -> Events:  # noqa: N802
        size = 0
        async for request in request_iterator:
            if request.HasField("options"):
                yield pb.TranscribeEvent(accepted=pb.Accepted(kept=True))
            size += len(request.audio_chunk)
        self.sizes.append(size)
        async for event in self._played(self.transcribe(pb.TranscribeOptions(), b""), context):
            yield event


@pytest.fixture
def measured() -> Iterator[None]:
    """Traces allocations, and leaves reference cycles alone."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


async def _fail(options: pb.TranscribeOptions, audio: bytes) -> Events:
    raise RefusalError(3, "AUDIO_SILENT")
    yield


def _settled(telegram: FakeTelegram, words: str, people: Iterable[int] = PEOPLE) -> bool:
    return all(any(words in m.text for m in telegram.shown(person)) for person in people)


async def test_recordings_pass_through_in_pieces(telegram: FakeTelegram, measured: None) -> None:
    fake = Counting()
    fake.transcribe = _fail
    recording = bytes(FILE_BYTES)
    async with serve(fake) as address, polling(telegram, address, max_uploads=4):
        await telegram.send_voice(FIRST, bytes(1000))  # builds what is built on first use
        await telegram.wait_for(lambda: _settled(telegram, "silent", [FIRST]))
        before_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for person in PEOPLE:
            await telegram.send_voice(person, recording)
        await telegram.wait_for(lambda: _settled(telegram, "silent"), 60)
        _, peak_bytes = tracemalloc.get_traced_memory()

    assert fake.sizes == [1000, *[FILE_BYTES] * len(PEOPLE)]
    assert peak_bytes - before_bytes < FILE_BYTES, "twelve recordings never fill one"


async def test_a_failed_request_leaves_nothing(telegram: FakeTelegram, measured: None) -> None:
    """Results whose delivery fails are dropped at once, not at Python's next collection."""
    fake = Counting()

    async def succeed_at_length(options: pb.TranscribeOptions, audio: bytes) -> Events:
        for event in artifact("score-1.png", bytes(SCORE_BYTES)):
            yield event
        yield pb.TranscribeEvent(result=result())

    fake.transcribe = succeed_at_length
    telegram.faults["sendPhoto"] = [Fault.ERROR] * 1000
    telegram.faults["deleteMessage"] = [Fault.ERROR] * 1000
    async with serve(fake) as address, polling(telegram, address, patience_s=0.1, timeout_s=30.0):
        await telegram.send_voice(FIRST, bytes(1000))
        await telegram.wait_for(lambda: telegram.controls(FIRST))
        before_bytes, _ = tracemalloc.get_traced_memory()
        for person in PEOPLE:
            await telegram.send_voice(person, bytes(1000))
        await telegram.wait_for(lambda: all(telegram.controls(person) for person in PEOPLE), 60)
        await asyncio.sleep(0.5)
        after_bytes, _ = tracemalloc.get_traced_memory()

    assert after_bytes - before_bytes < SCORE_BYTES, "of twelve scores, none is left"
