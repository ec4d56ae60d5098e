"""Render: cached results with other options, also after a restart."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import grpc
import pytest
from notabot.v1 import transcription_pb2

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


async def transcribe(running: Running, **render: Any) -> transcription_pb2.Result:
    call = running.transcription.Transcribe(iter(messages(b"a", **render)))
    result: transcription_pb2.Result = (await last(call)).result
    return result


async def render(running: Running, result_id: str, **options: Any) -> list[Any]:
    request = transcription_pb2.RenderRequest(
        result_id=result_id, render=transcription_pb2.RenderOptions(**options)
    )
    return await drain(running.transcription.Render(request))


async def test_a_result_is_rendered_again_after_a_restart(
    settings: Settings, held: HeldPipeline
) -> None:
    held.release.set()
    async with run_service(settings, use_cases=held) as running:
        first = await transcribe(running, title="A song")
    async with run_service(settings, use_cases=held) as running:
        events = await render(
            running, first.result_id, transpose_semitones=3, view=transcription_pb2.VIEW_PIANO
        )
    result = events[-1].result
    assert result.result_id == first.result_id
    assert result.parts == first.parts
    assert result.key == first.key
    assert (first.rendered_key.tonic, result.rendered_key.tonic) == ("A", "C")
    assert result.render.view == transcription_pb2.VIEW_PIANO
    assert held.began == ["a"]


async def test_a_result_says_whether_it_was_sung_differently(
    settings: Settings, held: HeldPipeline
) -> None:
    held.release.set()
    async with run_service(settings, use_cases=held) as running:
        right = await transcribe(running)
        held.sung_flat = True
        flat = await transcribe(running)
        events = await render(running, flat.result_id, pitches=transcription_pb2.PITCHES_SUNG)
    assert not right.sung_differs
    assert flat.sung_differs
    again = events[-1].result
    assert again.sung_differs
    assert again.parts == flat.parts
    assert (flat.render.pitches, again.render.pitches) == (
        transcription_pb2.PITCHES_MEANT,
        transcription_pb2.PITCHES_SUNG,
    )


async def test_a_full_disk_costs_neither_the_pages_nor_the_buttons_of_the_moment(
    settings: Settings, held: HeldPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.release.set()
    held.stems = {"vocals": b"v"}

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with run_service(settings, use_cases=held) as running:
        assert not (await transcribe(running)).kept_briefly
        monkeypatch.setattr("inference_service.engine.cache.ResultCache._write", refuse)
        result = await transcribe(running, title="A song")
        assert result.kept_briefly
        events = await render(running, result.result_id, transpose_semitones=3)
    assert events[-1].result.rendered_key.tonic == "C"
    assert events[-1].result.kept_briefly


async def test_a_result_that_cannot_be_read_just_now_has_not_expired(
    settings: Settings, held: HeldPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot removes the buttons of a result that has expired."""
    held.release.set()

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async with run_service(settings, use_cases=held) as running:
        result = await transcribe(running)
        with monkeypatch.context() as patch:
            patch.setattr("inference_service.engine.cache._read", refuse)
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await render(running, result.result_id)
        failure = read_failure(raised.value)
        assert (failure.reason, failure.retry_after_s) == ("QUEUE_FULL", 10.0)
        assert (await render(running, result.result_id))[-1].HasField("result")


async def test_stems_are_kept_with_the_result_and_sent_when_asked_for(
    settings: Settings, held: HeldPipeline
) -> None:
    held.release.set()
    held.stems = {"vocals": b"sung" * 50_000, "accompaniment": b"played"}
    async with run_service(settings, use_cases=held) as running:
        first = await transcribe(running)
    held.stems = {}
    async with run_service(settings, use_cases=held) as running:
        *events, _ = await render(
            running, first.result_id, formats=[transcription_pb2.FORMAT_STEMS]
        )
    files: dict[str, bytes] = {}
    for event in events:
        if event.HasField("artifact"):
            files[event.artifact.name] = files.get(event.artifact.name, b"") + event.artifact.data
    assert files == {"vocals": b"sung" * 50_000, "accompaniment": b"played"}


async def test_the_title_is_remembered_and_may_be_changed(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    result = await transcribe(running, title="A song")
    again = await render(running, result.result_id)
    other = await render(running, result.result_id, title="Another")
    titles = [
        next(e.artifact.data for e in events if e.HasField("artifact")) for events in (again, other)
    ]
    assert titles == [b"A song", b"Another"]


async def test_buttons_answer_while_a_transcription_runs(
    running: Running, held: HeldPipeline
) -> None:
    held.release.set()
    result = await transcribe(running)
    held.release.clear()
    long = running.transcribe(b"long")
    await long.initial_metadata()
    await wait_until(lambda: held.began[-1] == "long")
    events = await asyncio.wait_for(render(running, result.result_id), 1.0)
    assert events[-1].HasField("result")
    assert running.service.engine.busy
    long.cancel()


@pytest.mark.parametrize("result_id", ["AAAAAAAAAAAA", "", "../../etc/passwd", "A" * 200, "\x00"])
async def test_an_unknown_result_has_expired(running: Running, result_id: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await render(running, result_id)
    failure = read_failure(raised.value)
    assert failure.status is grpc.StatusCode.NOT_FOUND
    assert failure.reason == "RESULT_EXPIRED"


async def test_bad_options_are_refused(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await render(running, "AAAAAAAAAAAA", transpose_semitones=99)
    assert read_failure(raised.value).reason == "INVALID_OPTIONS"
