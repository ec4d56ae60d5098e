"""Two services that share a bucket: each shows, corrects and forgets the results of the other."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from notabot.v1 import practice_pb2
from notabot.v1 import transcription_pb2 as pb

from inference_service.settings import Settings
from tests.s3 import BUCKET, run_s3
from tests.service.running import (
    HeldPipeline,
    Running,
    drain,
    last,
    messages,
    read_failure,
    run_service,
)

SOUND = bytes(range(256)) * 20_000


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with run_s3() as environment:
        yield environment


@pytest.fixture
def settings(
    build: Callable[..., Settings], s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    url = f"s3://{BUCKET}/{secrets.token_hex(8)}"
    return build(cache={"url": url, "reuse": True}, engine={"drain_s": 0.2})


@pytest.fixture
def pipelines(settings: Settings) -> list[HeldPipeline]:
    """The pipelines of two services, neither of which holds anything."""
    pipelines = [HeldPipeline(settings) for _ in range(2)]
    for pipeline in pipelines:
        pipeline.release.set()
        pipeline.stems = {"vocals": SOUND}
    return pipelines


@pytest.fixture
async def services(
    settings: Settings, pipelines: list[HeldPipeline]
) -> AsyncIterator[tuple[Running, Running]]:
    async with (
        run_service(settings, use_cases=pipelines[0]) as one,
        run_service(settings, use_cases=pipelines[1]) as other,
    ):
        yield one, other


async def transcribe(running: Running, **render: Any) -> pb.Result:
    call = running.transcription.Transcribe(iter(messages(b"a", **render)))
    result: pb.Result = (await last(call)).result
    return result


async def render(running: Running, result_id: str, **options: Any) -> pb.Result:
    request = pb.RenderRequest(result_id=result_id, render=pb.RenderOptions(**options))
    result: pb.Result = (await last(running.transcription.Render(request))).result
    return result


async def refuse(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return read_failure(raised.value).reason


async def test_a_button_is_answered_by_either_service(
    services: tuple[Running, Running], pipelines: list[HeldPipeline]
) -> None:
    one, other = services
    heard = await transcribe(one, title="A song")
    assert not heard.kept_briefly
    waltz = await render(other, heard.result_id, corrections=pb.Corrections(time_signature="3/4"))
    assert waltz.render.title == "A song"
    back = await render(one, waltz.result_id)
    assert back.time_signature == "3/4"
    assert back.uncorrected_id == heard.result_id
    request = practice_pb2.FetchSoundRequest(result_id=waltz.result_id, name="vocals")
    chunks = await drain(other.practice.FetchSound(request))
    assert b"".join(chunk.data for chunk in chunks) == SOUND
    assert chunks[0].size_bytes == len(SOUND)
    assert pipelines[1].began == []


async def test_a_recording_is_heard_by_one_of_them(
    services: tuple[Running, Running], pipelines: list[HeldPipeline]
) -> None:
    one, other = services
    first, second = await transcribe(one), await transcribe(other)
    assert first.result_id != second.result_id
    assert [pipeline.began for pipeline in pipelines] == [["a"], []]


async def test_what_one_forgets_is_gone_for_the_other(services: tuple[Running, Running]) -> None:
    one, other = services
    first, second = await transcribe(one), await transcribe(other)
    await other.transcription.Forget(pb.ForgetRequest(result_ids=[first.result_id]))
    assert await refuse(render(one, first.result_id)) == "RESULT_EXPIRED"
    assert (await render(one, second.result_id)).parts == second.parts


async def test_a_bucket_that_is_away_removes_no_buttons(
    settings: Settings, pipelines: list[HeldPipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_service(settings, use_cases=pipelines[0]) as running:
        heard = await transcribe(running)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")  # the port for what is discarded
        async with run_service(settings, use_cases=pipelines[1]) as running:
            assert await refuse(render(running, heard.result_id)) == "QUEUE_FULL"
            briefly = await transcribe(running, title="Meanwhile")
            assert briefly.kept_briefly
            assert (await render(running, briefly.result_id)).render.title == "Meanwhile"
    async with run_service(settings, use_cases=pipelines[0]) as running:
        assert (await render(running, heard.result_id)).parts == heard.parts
