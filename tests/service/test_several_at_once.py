"""Several transcriptions at once in the service's own process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
from notabot.v1 import models_pb2

from inference_service.assembly import build_loader
from inference_service.audio.waveform import Waveform
from inference_service.engine.catalog import ModelEntry
from inference_service.music.events import NoteEvent
from inference_service.pipeline.stages import Component, Task
from inference_service.progress import Report
from inference_service.settings import Settings
from inference_service.tiny import AutocorrelationTagger
from tests.factories import build_notes, build_scale, encode_audio
from tests.service.running import (
    HeldPipeline,
    build_settings,
    drain,
    last,
    run_service,
    wait_until,
)
from tests.service.test_health_and_drain import NOT_SERVING, SERVING, wait_for_status

WIDTH = 2


@pytest.fixture
def wide(tmp_path: Path) -> Settings:
    """Settings of a service that hears two recordings at once."""
    return build_settings(
        tmp_path,
        engine={"width": WIDTH, "queue_size": 8, "caller_share": 1.0, "stuck_s": 0.5},
    )


class MeetingTagger(AutocorrelationTagger):
    """A tagger that waits, at a recording's middle, until another thread is there too."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting: threading.Barrier | None = None

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        if self.meeting is not None:
            self.meeting.wait(20.0)
        return super().tag(waveform, tuning_cents, report)


async def test_two_are_heard_at_once_as_each_would_be_alone(wide: Settings) -> None:
    tagger = MeetingTagger()

    def load(task: Task, entry: ModelEntry) -> Component:
        return tagger if task is Task.VOICE else build_loader(wide.models)(task, entry)

    recordings = [encode_audio(build_notes(build_scale()[:count]).samples) for count in (4, 8)]
    async with run_service(wide, loader=load) as running:
        alone = [await last(running.transcribe(data)) for data in recordings]
        tagger.meeting = threading.Barrier(WIDTH)
        calls = [running.transcribe(data) for data in recordings]
        together = [await last(call) for call in calls]
    for one, other in zip(alone, together, strict=True):
        heard = [(list(e.result.parts), list(e.result.beats), e.result.key) for e in (one, other)]
        assert heard[0] == heard[1]
    notes = [len(event.result.parts[0].notes) for event in together]
    assert notes == [4, 8]


async def test_the_third_waits_for_one_of_two(wide: Settings) -> None:
    held = HeldPipeline(wide)
    async with run_service(wide, use_cases=held) as running:
        calls = [running.transcribe(name.encode()) for name in "ab"]
        await wait_until(lambda: len(held.began) == WIDTH)
        third = running.transcribe(b"c")
        assert (await anext(aiter(third))).queued.position == 1
        status = await running.models.Status(models_pb2.StatusRequest())
        assert status.busy
        assert status.queue_length == 1
        held.release.set()
        for call in calls:
            await drain(call)
        assert (await last(third)).HasField("result")
    assert sorted(held.ended) == ["a", "b", "c"]


async def test_a_place_is_free_sooner_where_two_are_heard_at_once(wide: Settings) -> None:
    async with run_service(wide) as running:
        engine = running.service.engine
        engine._device._on_done(60.0)  # type: ignore[misc]
        assert engine.transcriptions.retry_after_s() == 60.0 / WIDTH


async def test_cancelling_one_leaves_the_other(wide: Settings) -> None:
    held = HeldPipeline(wide)
    async with run_service(wide, use_cases=held) as running:
        leaving, staying = running.transcribe(b"a"), running.transcribe(b"b")
        await wait_until(lambda: len(held.began) == WIDTH)
        leaving.cancel()
        await wait_until(lambda: held.ended == ["a"])
        third = running.transcribe(b"c")
        await wait_until(lambda: "c" in held.began)
        held.release.set()
        for call in (staying, third):
            assert (await last(call)).HasField("result")


async def test_a_model_is_exchanged_for_those_that_begin_later(wide: Settings) -> None:
    held = HeldPipeline(wide)
    async with run_service(wide, use_cases=held) as running:
        calls = [running.transcribe(name.encode()) for name in "ab"]
        await wait_until(lambda: len(held.began) == WIDTH)
        request = models_pb2.ActivateRequest(task="voice", model="autocorrelation-coarse")
        await running.models.Activate(request)
        third = running.transcribe(b"c")
        held.release.set()
        models = [(await last(call)).result.models["voice"] for call in (*calls, third)]
    assert models == ["autocorrelation@1"] * WIDTH + ["autocorrelation-coarse@1"]


class OneStuckPipeline(HeldPipeline):
    """A pipeline that reports nothing for the recording named "s"."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.stuck = threading.Event()

    def transcribe(self, waveform: Waveform, *arguments: Any) -> Any:
        if waveform.samples[0, 0] == ord("s"):
            self.began.append("s")
            self.stuck.wait(30.0)
        return super().transcribe(waveform, *arguments)


async def test_one_stuck_thread_of_two_is_a_problem(wide: Settings) -> None:
    pipeline = OneStuckPipeline(wide)
    async with run_service(wide, use_cases=pipeline) as running:
        other = running.transcribe(b"a")
        stuck = running.transcribe(b"s", timeout=1.0)
        await wait_until(lambda: len(pipeline.began) == WIDTH)
        with pytest.raises(grpc.aio.AioRpcError):
            await last(stuck)
        await wait_for_status(running, NOT_SERVING)
        pipeline.stuck.set()
        await wait_for_status(running, SERVING)
        pipeline.release.set()
        assert (await last(other)).HasField("result")
