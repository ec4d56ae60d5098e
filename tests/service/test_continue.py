"""Continue: continuations of cached results."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from notabot.v1 import transcription_pb2

from inference_service.continuation.options import ContinuationOptions, Style
from inference_service.music.events import Transcription
from inference_service.notation.views import View
from inference_service.pipeline.options import (
    DEFAULT_CONTINUATION_FORMATS,
    ContinueOptions,
    Format,
)
from inference_service.pipeline.render import Rendering
from inference_service.progress import Progress, Stage
from inference_service.settings import Settings
from tests.factories import build_notes, build_scale, encode_audio
from tests.service.running import (
    HeldPipeline,
    Running,
    drain,
    last,
    messages,
    read_failure,
    run_service,
    wait_until,
)


async def transcribe(running: Running, data: bytes = b"a", **render: Any) -> str:
    call = running.transcription.Transcribe(iter(messages(data, **render)))
    return str((await last(call)).result.result_id)


async def go_on(running: Running, result_id: str, **options: Any) -> list[Any]:
    request = transcription_pb2.ContinueRequest(result_id=result_id, **options)
    return await drain(running.transcription.Continue(request))


async def test_a_result_goes_on_after_a_restart(settings: Settings, held: HeldPipeline) -> None:
    held.release.set()
    async with run_service(settings, use_cases=held) as running:
        result_id = await transcribe(running, title="A song")
    async with run_service(settings, use_cases=held) as running:
        *events, artifact, end = await go_on(
            running,
            result_id,
            measures=16,
            style=transcription_pb2.STYLE_FOLK,
            seed=7,
            boldness=-0.5,
            context_measures=0,
            alternatives=1,
            render={
                "view": transcription_pb2.VIEW_PIANO,
                "formats": [transcription_pb2.FORMAT_PNG],
            },
        )
    assert artifact.artifact.data == b"A song"
    assert artifact.artifact.name == "continuation.mid"
    assert end.result.result_id == result_id
    assert end.result.render.view == transcription_pb2.VIEW_PIANO
    assert {event.progress.stage for event in events} == {transcription_pb2.STAGE_CONTINUATION}
    fractions = [event.progress.overall_fraction for event in events]
    assert fractions == sorted(fractions)
    [(music, asked)] = held.continued
    assert isinstance(music, Transcription)
    assert music.key.tonic == "A"
    assert asked.music == ContinuationOptions(16, Style.FOLK, 7, -0.5, 0, 1)
    assert (asked.render.view, asked.render.formats) == (View.PIANO, {Format.PNG})
    assert held.began == ["a"], "nothing is heard again"


async def test_nothing_asked_for_is_the_usual(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    await go_on(running, await transcribe(running))
    [(_, asked)] = held.continued
    assert asked.music == ContinuationOptions()
    assert asked.render.formats == DEFAULT_CONTINUATION_FORMATS


async def test_an_unknown_result_has_expired(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await go_on(running, "AAAAAAAAAAAA")
    assert read_failure(raised.value).reason == "RESULT_EXPIRED"


async def test_bad_options_are_refused(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await go_on(running, "AAAAAAAAAAAA", measures=1000)
    failure = read_failure(raised.value)
    assert (failure.reason, failure.params["option"]) == ("INVALID_OPTIONS", "measures")
    assert failure.status is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_cancelled_search_frees_the_engraver(settings: Settings) -> None:
    class Tireless(HeldPipeline):
        def continue_music(self, music: Any, options: Any, progress: Any) -> Any:
            while True:
                progress(Stage.CONTINUATION, 0.5)

    tireless = Tireless(settings)
    tireless.release.set()
    async with run_service(settings, use_cases=tireless) as running:
        result_id = await transcribe(running)
        request = transcription_pb2.ContinueRequest(result_id=result_id)
        call = running.transcription.Continue(request)
        await call.read()
        call.cancel()
        again = running.transcription.Render(transcription_pb2.RenderRequest(result_id=result_id))
        assert (await last(again)).HasField("result")


async def test_what_was_sung_goes_on(settings: Settings) -> None:
    tune = build_scale((60, 62, 64, 65, 67, 65, 64, 62) * 2)
    async with run_service(settings) as running:
        result_id = await transcribe(running, encode_audio(build_notes(tune).samples))
        *_, artifact, end = await go_on(
            running, result_id, measures=2, render={"formats": [transcription_pb2.FORMAT_MIDI]}
        )
    assert artifact.artifact.name == "continuation.mid"
    assert artifact.artifact.data.startswith(b"MThd")
    assert end.result.result_id == result_id


async def test_a_single_note_does_not_go_on(settings: Settings) -> None:
    async with run_service(settings) as running:
        result_id = await transcribe(running, encode_audio(build_notes(build_scale((60,))).samples))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await go_on(running, result_id)
    failure = read_failure(raised.value)
    assert failure.reason == "NOTHING_TO_CONTINUE"
    assert failure.status is grpc.StatusCode.FAILED_PRECONDITION


class SlowComposer(HeldPipeline):
    """A pipeline whose continuations do not end until they are cancelled or out of time."""

    composing = 0

    def continue_music(
        self, music: Transcription, options: ContinueOptions, progress: Progress
    ) -> Rendering:
        self.composing += 1
        while True:
            progress(Stage.CONTINUATION, 0.0)
            time.sleep(0.01)


async def test_long_continuations_delay_nothing_else(settings: Settings) -> None:
    slow = SlowComposer(settings)
    slow.release.set()
    async with run_service(settings, use_cases=slow) as running:
        result_id = await transcribe(running)
        composing = [asyncio.create_task(go_on(running, result_id)) for _ in range(8)]
        await wait_until(lambda: slow.composing == 1)
        async with asyncio.timeout(5):
            await transcribe(running, b"b")
            request = transcription_pb2.RenderRequest(result_id=result_id)
            await drain(running.transcription.Render(request))
        assert slow.composing == 1
        for task in composing:
            task.cancel()
        await asyncio.gather(*composing, return_exceptions=True)


async def test_a_continuation_has_a_deadline_of_its_own(build: Callable[..., Settings]) -> None:
    settings = build(engine={"render_deadline_s": 0.5})
    slow = SlowComposer(settings)
    slow.release.set()
    async with run_service(settings, use_cases=slow) as running:
        result_id = await transcribe(running)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await go_on(running, result_id)
        assert read_failure(raised.value).reason == "DEADLINE_EXCEEDED"


class Composing(HeldPipeline):
    """Composes when told to; notes the numbers of measures in order."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.may_compose = threading.Event()
        self.measures: list[int] = []

    def continue_music(
        self, music: Transcription, options: ContinueOptions, progress: Progress
    ) -> Rendering:
        self.measures.append(options.music.measures)
        assert self.may_compose.wait(20.0)
        return super().continue_music(music, options, progress)


async def test_a_short_continuation_passes_a_long_one(settings: Settings) -> None:
    pipeline = Composing(settings)
    pipeline.release.set()
    async with run_service(settings, use_cases=pipeline) as running:
        result_id = await transcribe(running)
        calls = []
        composer = running.service.engine._composer
        for count, measures in enumerate((8, 64, 4)):
            calls.append(asyncio.create_task(go_on(running, result_id, measures=measures)))
            await wait_until(lambda: bool(pipeline.measures))
            await wait_until(lambda count=count: composer.waiting == count)  # type: ignore[misc]
        pipeline.may_compose.set()
        await asyncio.gather(*calls)
    assert pipeline.measures == [8, 4, 64]
