"""The same recording, sent again or at the same time, is heard once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from notabot.v1 import models_pb2, transcription_pb2

from inference_service.server.metrics import Metrics
from inference_service.settings import Settings
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


@pytest.fixture
def settings(build: Callable[..., Settings]) -> Settings:
    return build(cache={"reuse": True}, engine={"queue_size": 4, "drain_s": 0.2})


async def send(running: Running, data: bytes = b"a", **render: Any) -> Any:
    call = running.transcription.Transcribe(iter(messages(data, **render)))
    return (await last(call)).result


async def forget(running: Running, result_id: str) -> None:
    request = transcription_pb2.ForgetRequest(result_ids=[result_id])
    await running.transcription.Forget(request)


async def render(running: Running, result_id: str, **options: Any) -> bytes:
    """Return the first file of a result: its title, or a stem."""
    options_message = transcription_pb2.RenderOptions(**options)
    request = transcription_pb2.RenderRequest(result_id=result_id, render=options_message)
    events = await drain(running.transcription.Render(request))
    data: bytes = next(e.artifact.data for e in events if e.HasField("artifact"))
    return data


async def test_two_people_have_results_of_their_own(running: Running, held: HeldPipeline) -> None:
    held.release.set()
    held.stems = {"vocals": b"sung"}
    first = await send(running, title="One")
    second = await send(running, title="Two")
    assert held.began == ["a"]
    assert first.result_id != second.result_id
    assert first.parts == second.parts
    assert first.timings_s
    assert not second.timings_s, "nothing was measured"
    await forget(running, first.result_id)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await render(running, first.result_id)
    assert read_failure(raised.value).reason == "RESULT_EXPIRED"
    assert await render(running, second.result_id) == b"Two"
    stem = await render(running, second.result_id, formats=[transcription_pb2.FORMAT_STEMS])
    assert stem == b"sung"
    third = await send(running, title="Three")
    assert held.began == ["a"]
    for result in (second, third):
        await forget(running, result.result_id)
    await send(running)
    assert held.began == ["a", "a"], "nothing was left"


async def test_what_was_heard_is_found_after_a_restart(
    settings: Settings, held: HeldPipeline
) -> None:
    held.release.set()
    for _ in range(2):
        async with run_service(settings, use_cases=held) as running:
            await send(running)
    assert held.began == ["a"]


async def test_recordings_sent_at_once_are_heard_once(running: Running, held: HeldPipeline) -> None:
    calls = [running.transcribe(b"a") for _ in range(3)]
    answers = [asyncio.create_task(drain(call)) for call in calls]
    await wait_until(lambda: len(running.service.engine.transcriptions) == 3)
    await wait_until(lambda: held.report_count > 30)
    held.release.set()
    events = [await answer for answer in answers]
    assert held.began == ["a"]
    assert len({answer[-1].result.result_id for answer in events}) == 3
    stages = transcription_pb2.Stage
    for answer in events:
        shown = [event.progress.stage for event in answer if event.HasField("progress")]
        assert stages.STAGE_TAGGING in shown
        overall = [e.progress.overall_fraction for e in answer if e.HasField("progress")]
        assert overall == sorted(overall)


async def test_the_second_hears_if_the_first_goes(running: Running, held: HeldPipeline) -> None:
    first = running.transcribe(b"a")
    await first.initial_metadata()
    await wait_until(lambda: held.began == ["a"])
    second = asyncio.create_task(send(running))
    await wait_until(lambda: len(running.service.engine.transcriptions) == 2)
    first.cancel()
    await wait_until(lambda: held.began == ["a", "a"])
    held.release.set()
    assert (await second).result_id


async def test_who_shares_a_hearing_can_be_cancelled_alone(
    running: Running, held: HeldPipeline
) -> None:
    first = asyncio.create_task(send(running))
    await wait_until(lambda: held.began == ["a"])
    second = running.transcribe(b"a")
    await second.initial_metadata()
    second.cancel()
    await wait_until(lambda: len(running.service.engine.transcriptions) == 1)
    held.release.set()
    assert (await first).result_id
    assert held.began == ["a"]


async def test_another_model_hears_again(settings: Settings, held: HeldPipeline) -> None:
    held.release.set()
    async with run_service(settings, use_cases=held) as running:
        await send(running)
        request = models_pb2.ActivateRequest(task="voice", model="autocorrelation-coarse")
        await running.models.Activate(request)
        await send(running)
        await send(running)
    assert held.began == ["a", "a"]


async def test_a_drain_ends_those_who_wait_for_another(
    settings: Settings, held: HeldPipeline
) -> None:
    async with run_service(settings, use_cases=held) as running:
        answers = [asyncio.create_task(drain(running.transcribe(b"a"))) for _ in range(3)]
        await wait_until(lambda: len(running.service.engine.transcriptions) == 3)
        await wait_until(lambda: held.began == ["a"])
        await running.service.engine.drain(0.1)
        for answer in answers:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await answer
            assert read_failure(raised.value).reason == "SHUTTING_DOWN"
    assert held.began == ["a"]


async def test_what_another_service_heard_meanwhile_is_taken(
    settings: Settings, held: HeldPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_service.engine.service._LOOK_AGAIN_S", 0.0)
    faster = HeldPipeline(settings)
    faster.release.set()
    async with (
        run_service(settings, use_cases=held) as running,
        run_service(settings, use_cases=faster) as other,
    ):
        first = asyncio.create_task(send(running, b"b"))
        await wait_until(lambda: held.began == ["b"])
        second = asyncio.create_task(send(running, b"a", title="Mine"))
        await wait_until(lambda: running.service.engine.queue_length == 1)
        theirs = await send(other, b"a")
        held.release.set()
        await first
        mine = await second
        assert held.began == ["b"]
        assert mine.result_id != theirs.result_id
        assert mine.parts == theirs.parts
        assert await render(other, mine.result_id) == b"Mine"


async def test_what_is_not_heard_again_is_counted(
    settings: Settings, held: HeldPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.release.set()
    counted: list[int] = []
    monkeypatch.setattr(Metrics, "count_reused", lambda metrics: counted.append(1))
    async with run_service(settings, use_cases=held) as running:
        for _ in range(3):
            await send(running)
    assert len(counted) == 2
