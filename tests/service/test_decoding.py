"""Decoding beside the device thread, and the memory of requests that failed."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from inference_service.audio.waveform import Waveform
from inference_service.engine.memory import Claim
from inference_service.errors import AudioUnreadable
from inference_service.music.events import Transcription
from inference_service.progress import Progress, Stage
from inference_service.settings import Settings
from tests.service.running import HeldPipeline, drain, read_failure, run_service, wait_until

UPLOAD_BYTES = 8_000_000


class SlowDecoder(HeldPipeline):
    """Decodes the recording named "slow" only when told to."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.decoded = threading.Event()
        self.decoding: list[bytes] = []

    def decode(self, data: bytes, progress: Progress, claim: Claim | None = None) -> Waveform:
        self.decoding.append(data)
        try:
            while data == b"slow" and not self.decoded.wait(0.01):
                progress(Stage.DECODE, 0.5)
        finally:
            self.decoding.remove(data)
        return super().decode(data, progress, claim)


async def test_a_recording_that_is_slow_to_decode_delays_no_other(settings: Settings) -> None:
    pipeline = SlowDecoder(settings)
    pipeline.release.set()
    async with run_service(settings, use_cases=pipeline) as running:
        slow = running.transcribe(b"slow")
        await wait_until(lambda: pipeline.decoding == [b"slow"])
        events = await asyncio.wait_for(drain(running.transcribe(b"quick")), 5.0)
        assert events[-1].HasField("result")
        assert not running.service.engine.busy
        pipeline.decoded.set()
        kinds = [event.WhichOneof("event") for event in await drain(slow)]
        assert kinds[-1] == "result"
        assert "progress" in kinds, "decoding is shown"
        assert pipeline.ended == ["quick", "slow"]


async def test_decoding_is_cancelled(settings: Settings) -> None:
    pipeline = SlowDecoder(settings)
    async with run_service(settings, use_cases=pipeline) as running:
        call = running.transcribe(b"slow")
        await wait_until(lambda: pipeline.decoding == [b"slow"])
        call.cancel()
        await wait_until(lambda: not pipeline.decoding)
        await wait_until(lambda: len(running.service.engine.transcriptions) == 0)
        assert pipeline.began == []


class Failing(HeldPipeline):
    """Fails at a step, each time with everything in the frames of the exception."""

    step = "decode"

    def decode(self, data: bytes, progress: Progress, claim: Claim | None = None) -> Waveform:
        if self.step == "decode":
            raise AudioUnreadable("nothing to hear")
        return Waveform(np.zeros((1, len(data) // 4), np.float32), 44100)

    def transcribe(self, *arguments: Any) -> Transcription:
        if self.step == "expected":
            raise AudioUnreadable("nothing to hear")
        raise RuntimeError("unforeseen")


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Turn the garbage collector off: a full collection may be hours away."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


@pytest.mark.parametrize("step", ["decode", "expected", "unforeseen"])
@pytest.mark.usefixtures("no_collection")
async def test_a_failed_upload_leaves_nothing(settings: Settings, step: str) -> None:
    pipeline = Failing(settings)
    pipeline.step = step
    async with run_service(settings, use_cases=pipeline) as running:

        async def fail() -> None:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await drain(running.transcribe(bytes(UPLOAD_BYTES)))
            assert read_failure(caught.value).reason in {"AUDIO_UNREADABLE", "INTERNAL"}

        await fail()
        before_bytes, _ = tracemalloc.get_traced_memory()
        for _ in range(5):
            await fail()
        # The caller has its answer a moment before the service is done with the request.
        await wait_until(
            lambda: tracemalloc.get_traced_memory()[0] - before_bytes < UPLOAD_BYTES // 2, 20.0
        )
