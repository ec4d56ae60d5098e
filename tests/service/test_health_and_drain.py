"""Health checks, at rest and under load; SIGTERM; a quick start."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from notabot.v1 import transcription_pb2_grpc

from inference_service.assembly import FONTS_FOLDER
from inference_service.music.events import Transcription
from inference_service.settings import Settings
from tests.factories import build_notes, build_scale, encode_audio
from tests.service.running import (
    HeldPipeline,
    Running,
    last,
    messages,
    read_failure,
    run_service,
    wait_until,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def check(running: Running, service: str = "") -> Any:
    request = health_pb2.HealthCheckRequest(service=service)
    return (await running.health.Check(request)).status


async def test_serving_begins_with_the_models(settings: Settings, held: HeldPipeline) -> None:
    async with run_service(settings, load=False, use_cases=held) as running:
        assert await check(running) == NOT_SERVING
        assert await check(running, "notabot.v1.Transcription") == NOT_SERVING
        assert await check(running, "notabot.v1.Models") == SERVING
        await running.service.load()
        assert await check(running) == SERVING
        assert await check(running, "notabot.v1.Transcription") == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await check(running, "no.such.Service")
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_answers_at_once_while_a_job_runs(
    running: Running, held: HeldPipeline
) -> None:
    call = running.transcribe(b"a")
    await wait_until(lambda: bool(held.began))
    for _ in range(20):
        assert await check(running) == SERVING
    assert held.ended == []
    held.release.set()
    await last(call)


async def wait_for_status(running: Running, status: Any) -> None:
    async with asyncio.timeout(10):
        while await check(running) != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


class StuckPipeline(HeldPipeline):
    """A pipeline that reports nothing while it holds a request, and so cannot be stopped."""

    def transcribe(self, *arguments: Any) -> Transcription:
        self.began.append("stuck")
        self.release.wait(30)
        return super().transcribe(*arguments)


async def test_a_stuck_device_is_not_serving(build: Callable[..., Settings]) -> None:
    settings = build(engine={"stuck_s": 0.5})
    stuck = StuckPipeline(settings)
    async with run_service(settings, use_cases=stuck) as running:
        call = running.transcribe(b"a", timeout=1.0)
        await wait_until(lambda: bool(stuck.began))
        assert await check(running) == SERVING
        with pytest.raises(grpc.aio.AioRpcError):
            await last(call)
        await wait_for_status(running, NOT_SERVING)
        assert await check(running, "notabot.v1.Transcription") == NOT_SERVING
        assert await check(running, "notabot.v1.Models") == SERVING
        stuck.release.set()
        await wait_for_status(running, SERVING)


async def test_a_folder_that_is_gone_is_made_again_or_not_serving(
    build: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = build()
    async with run_service(settings) as running:
        fonts = settings.cache.directory / FONTS_FOLDER
        assert len(list(fonts.iterdir())) == 5
        shutil.rmtree(fonts)
        await wait_until(lambda: fonts.is_dir() and len(list(fonts.iterdir())) == 5)
        assert await check(running) == SERVING
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        await wait_for_status(running, NOT_SERVING)
        (tmp_path / "gone").mkdir()
        await wait_for_status(running, SERVING)


async def test_a_stopped_service_leaves_no_temporary_files(
    start: Callable[..., Any], environment: dict[str, str], tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "results").write_text("no folder")  # so that the fonts are kept elsewhere
    process = start(TMPDIR=str(temporary))
    await wait_until(lambda: '"event": "serving"' in (tmp_path / "log").read_text(), 60)
    assert [path.name[:14] for path in temporary.iterdir()] == ["notabot-fonts-"]
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 20) == 0
    assert list(temporary.iterdir()) == []


async def test_draining_finishes_what_runs_and_refuses_what_comes(
    build: Callable[..., Settings],
) -> None:
    settings = build(engine={"drain_s": 5.0})
    held = HeldPipeline(settings)
    async with run_service(settings, use_cases=held) as running:
        call = asyncio.create_task(last(running.transcribe(b"a")))
        await wait_until(lambda: bool(held.began))
        stopping = asyncio.create_task(running.service.stop())
        while await check(running) == SERVING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await last(running.transcribe(b"b"))
        failure = read_failure(raised.value)
        assert failure.status is grpc.StatusCode.UNAVAILABLE
        assert failure.reason == "SHUTTING_DOWN"
        assert failure.retry_after_s is not None
        held.release.set()
        assert (await call).HasField("result")
        assert await stopping


async def test_draining_ends_what_takes_too_long(settings: Settings, held: HeldPipeline) -> None:
    async with run_service(settings, use_cases=held) as running:
        calls = [asyncio.create_task(last(running.transcribe(name))) for name in (b"a", b"b")]
        await wait_until(
            lambda: bool(held.began) and len(running.service.engine.transcriptions) == 2
        )
        assert await running.service.stop()
        assert not held.release.is_set()
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call
            assert read_failure(raised.value).reason == "SHUTTING_DOWN"


async def first_health(address: str, limit_s: float = 60.0) -> Any:
    """Return the status that the first answer states."""
    options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
    async with grpc.aio.insecure_channel(address, options) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(
            health_pb2.HealthCheckRequest(), timeout=limit_s, wait_for_ready=True
        )
    return answer.status


async def test_the_first_health_check_is_answered_before_the_models_are_loaded(
    start: Callable[..., Any], environment: dict[str, str], tmp_path: Path
) -> None:
    start(NOTABOT_MODELS_PROFILE="cpu")
    assert await first_health(environment["NOTABOT_SERVER_LISTEN"]) == NOT_SERVING
    assert '"event": "serving"' not in (tmp_path / "log").read_text()


async def test_sigterm_lets_a_request_finish(
    start: Callable[..., Any], environment: dict[str, str], tmp_path: Path
) -> None:
    process = start()
    address = environment["NOTABOT_SERVER_LISTEN"]
    await first_health(address)
    data = encode_audio(build_notes(build_scale()).samples, "wav")
    async with grpc.aio.insecure_channel(address) as channel:
        stub = transcription_pb2_grpc.TranscriptionStub(channel)  # type: ignore[no-untyped-call]
        call = stub.Transcribe(iter(messages(data)), wait_for_ready=True)
        events = aiter(call)
        while not (await anext(events)).HasField("progress"):
            pass
        process.send_signal(signal.SIGTERM)
        result = [event async for event in events][-1].result
    assert [note.pitch for note in result.parts[0].notes] == [60, 62, 64, 65, 67, 69, 71, 72]
    assert await asyncio.to_thread(process.wait, 10) == 0
    log = (tmp_path / "log").read_text()
    assert '"event": "draining"' in log
    assert '"event": "stopped"' in log


async def test_a_missing_model_ends_the_service_with_its_reason(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    process = start(NOTABOT_MODELS_PROFILE="cpu", NOTABOT_MODELS_USE="separation=htdemucs")
    assert await asyncio.to_thread(process.wait, 30) == 69
    assert "models fetch htdemucs" in (tmp_path / "log").read_text()


@pytest.fixture
def silent_proxy() -> Iterator[str]:
    """Address of a proxy that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def test_a_service_that_fetches_a_model_answers_health_checks_and_ends_at_once(
    start: Callable[..., Any], environment: dict[str, str], tmp_path: Path, silent_proxy: str
) -> None:
    process = start(
        NOTABOT_MODELS_PROFILE="gpu", HTTPS_PROXY=silent_proxy, https_proxy=silent_proxy
    )
    assert await first_health(environment["NOTABOT_SERVER_LISTEN"]) == NOT_SERVING
    await wait_until(lambda: "fetching_model" in (tmp_path / "log").read_text())
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 10) == 0
