"""Services that share accepted jobs: any takes a job on or over, and any call back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from notabot.v1 import jobs_pb2, models_pb2
from pydantic import SecretStr

from inference_service.engine import shared_journal
from inference_service.engine.accepted import MAX_ATTEMPTS
from inference_service.engine.bucket import Bucket
from inference_service.engine.catalog import ModelEntry
from inference_service.errors import ModelRejected
from inference_service.pipeline.stages import Task
from inference_service.settings import SharedSettings
from tests.s3 import BUCKET, run_s3
from tests.service.running import (
    HeldPipeline,
    Running,
    build_settings,
    free_port,
    last,
    read_failure,
    run_service,
    wait_until,
)
from tests.service.test_jobs import Caller, fail, read_result
from tests.valkey_server import ValkeyServer

CANCEL_S = 1.0
COARSE = "autocorrelation-coarse@1"


@contextlib.asynccontextmanager
async def gateway(
    folder: Path, state_url: str, queue_size: int = 3, url: str = ""
) -> AsyncIterator[tuple[Running, Caller, HeldPipeline]]:
    """A service that shares its jobs and its results, and holds each request."""
    settings = build_settings(
        folder,
        engine={"queue_size": queue_size, "drain_s": 0.2, "caller_share": 1.0},
        shared={"state_url": state_url},
        cache={"url": url},
    )
    held = HeldPipeline(settings)
    async with run_service(settings, use_cases=held) as running:
        yield running, Caller(running), held
        held.release.set()


@pytest.fixture
async def pair(
    tmp_path: Path, valkey: ValkeyServer
) -> AsyncIterator[list[tuple[Running, Caller, HeldPipeline]]]:
    """Two gateways."""
    async with gateway(tmp_path, valkey.url) as one, gateway(tmp_path, valkey.url) as other:
        yield [one, other]


async def test_a_job_is_followed_through_another_gateway(pair: Any) -> None:
    (_, one, held), (_, other, idle) = pair
    call = one.send("1", context="where it came from")
    await wait_until(lambda: held.began == ["a"])
    assert await other.open() == {"1": (jobs_pb2.JOB_STATE_RUNNING, "where it came from", True)}
    assert await fail(other.attach("1")) == "JOB_TAKEN"
    call.cancel()
    await wait_until_left(other)
    again = other.attach("1")
    seen = [await anext(aiter(again))]
    held.release.set()
    kinds, result = await read_result(again)
    assert seen[0].WhichOneof("event") == "progress"
    assert kinds[-3:] == ["artifact", "artifact", "result"]
    assert result.key.tonic == "A"
    assert idle.began == []
    await other.close("1")
    assert await one.open() == {}
    assert await fail(one.send("1")) == "JOB_TAKEN", "nothing is accepted twice"


def list_recordings(folder: Path) -> list[Path]:
    return list(folder.rglob("*.audio"))


async def wait_until_left(caller: Caller) -> None:
    async with asyncio.timeout(5):
        while (await caller.open())["1"][2]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_closing_through_another_gateway_stops_the_work(pair: Any) -> None:
    (running, one, held), (_, other, _) = pair
    call = one.send("1")
    await wait_until(lambda: held.began == ["a"])
    await other.close("1")
    await wait_until(lambda: held.ended == ["a"], limit_s=CANCEL_S)
    assert await fail(call) == "CANCELLED"
    await wait_until(lambda: len(running.service.engine.transcriptions) == 0)


async def test_with_a_bucket_gateways_share_no_folder(
    tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_s3() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        bucket = f"s3://{BUCKET}/prefix"
        async with gateway(tmp_path / "other", valkey.url, url=bucket) as (_, other, idle):
            async with gateway(tmp_path / "one", valkey.url, url=bucket) as (running, one, held):
                call = one.send("1", b"left")
                await wait_until(lambda: held.began == ["left"])
                await running.service.stop(drain_s=0.0)
                assert await fail(call) == "SHUTTING_DOWN"
            idle.release.set()
            await wait_until(lambda: idle.began == ["left"], limit_s=20)
            _, result = await read_result(other.attach("1"))
            assert result.key.tonic == "A"
        assert list_recordings(tmp_path) == []
        assert not list(Bucket(bucket).list("recordings/"))


async def test_notes_are_kept_for_all(pair: Any) -> None:
    (_, one, held), (_, other, _) = pair
    call = one.send("1", context="before")
    await wait_until(lambda: held.began == ["a"])
    await other.note("1", "after")
    assert (await one.open())["1"][1] == "after"
    call.cancel()


async def test_what_a_stopping_gateway_leaves_is_taken_over(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    async with gateway(tmp_path, valkey.url) as (_, other, idle):
        async with gateway(tmp_path, valkey.url) as (running, one, held):
            call = one.send("1", b"left")
            await wait_until(lambda: held.began == ["left"])
            await running.service.stop(drain_s=0.0)
            assert await fail(call) == "SHUTTING_DOWN"
        idle.release.set()
        await wait_until(lambda: idle.began == ["left"], limit_s=20)
        _, result = await read_result(other.attach("1"))
        assert result.key.tonic == "A"
        assert held.began == ["left"]


async def test_jobs_of_a_killed_gateway_are_taken_over(
    tmp_path: Path, valkey: ValkeyServer, start_slow: Callable[[], tuple[Any, Caller]]
) -> None:
    process, victim = start_slow()
    call = victim.send("1", b"left")
    assert (await anext(aiter(call))).HasField("accepted")
    async with gateway(tmp_path, valkey.url) as (_, other, idle):
        async with asyncio.timeout(20):
            while (await other.open())["1"][0] != jobs_pb2.JOB_STATE_RUNNING:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        process.kill()
        process.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await read_result(call)
        idle.release.set()
        limit_s = shared_journal.LEASE_S + 10
        await wait_until(lambda: idle.began == ["left"], limit_s=limit_s)
        async with asyncio.timeout(limit_s):
            while (await other.open())["1"][2]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        _, result = await read_result(other.attach("1"))
        assert result.key.tonic == "A"


@pytest.fixture
def start_slow(
    tmp_path: Path, valkey: ValkeyServer
) -> Iterator[Callable[[], tuple[subprocess.Popen[str], Caller]]]:
    """Returns a function that starts a slow gateway in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], Caller]:
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.attack.slow_service", str(tmp_path), str(port), "600"],
            env=os.environ | {"NOTABOT_SHARED_STATE_URL": valkey.url},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        return process, Caller(Running(None, channel))  # type: ignore[arg-type]

    yield start
    for process in started:
        process.kill()
        process.wait()


async def test_a_recording_that_brings_services_down_does_not_for_ever(pair: Any) -> None:
    (running, one, held), (_, other, idle) = pair
    store = running.service.jobs._store
    call = one.send("1")
    await wait_until(lambda: held.began == ["a"])
    [(record, _)] = await store.list_open("42")
    await store.change(record, attempts=MAX_ATTEMPTS)
    await store.settle(record)  # as if a gateway had ended once more
    async with asyncio.timeout(10):
        while (await other.open())["1"][0] != jobs_pb2.JOB_STATE_FAILED:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await fail(call) == "INTERNAL", "the first gateway has lost it"
    assert idle.began == []


async def test_without_the_server_callers_come_back_and_the_work_goes_on(
    pair: Any, valkey: ValkeyServer
) -> None:
    (running, one, held), (_, other, idle) = pair
    call = one.send("1")
    await wait_until(lambda: held.began == ["a"])
    valkey.stop()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await read_result(other.send("2"))
    failure = read_failure(raised.value)
    assert failure.reason == "NOT_READY"
    assert failure.retry_after_s is not None
    assert "shared state" in await running.service._find_problem()
    held.release.set()
    _, result = await read_result(call)
    assert result.key.tonic == "A", "its outcome reaches who waits for it all the same"
    valkey.start()
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                if (await other.open())["1"][0] == jobs_pb2.JOB_STATE_DONE:
                    break
            await asyncio.sleep(0.05)
    assert await running.service._find_problem() == ""
    idle.release.set()
    await read_result(other.send("2"))
    assert (held.began, idle.began) == (["a"], ["a"])


async def test_a_gateway_whose_lease_has_ended_stores_nothing(
    tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        gateway(tmp_path, valkey.url) as (running, one, held),
        gateway(tmp_path, valkey.url) as (_, other, idle),
    ):
        call = one.send("1")
        await wait_until(lambda: held.began == ["a"])
        jobs = running.service.jobs
        assert jobs._beating is not None
        jobs._beating.cancel()  # as if its event loop had hung
        store: Any = jobs._store
        [(record, _)] = await store.list_open("42")
        await store._state.client.zadd(shared_journal._LEASES, {record.id: 0})
        await wait_until(lambda: idle.began == ["a"], limit_s=10)
        held.release.set()
        await wait_until(lambda: held.ended == ["a"])
        assert (await other.open())["1"][0] == jobs_pb2.JOB_STATE_RUNNING
        idle.release.set()
        _, result = await read_result(call)
        assert result.key.tonic == "A", "whoever follows the first gets the second one's result"


def test_the_address_may_hold_a_password() -> None:
    settings = SharedSettings(state_url=SecretStr("valkey://:secret-word@host:6379/0"))
    assert "secret-word" not in repr(settings)
    with pytest.raises(ValueError, match="an address begins with"):
        SharedSettings(state_url=SecretStr("host:6379"))


async def choose(running: Running, model: str) -> str:
    response = await running.models.Activate(models_pb2.ActivateRequest(task="voice", model=model))
    return str(response.previous)


async def test_every_gateway_follows_a_choice_of_models(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    async with gateway(tmp_path, valkey.url) as (one, caller, held):
        async with gateway(tmp_path, valkey.url) as (other, _, idle):
            before = caller.send("1")
            await wait_until(lambda: held.began == ["a"])
            assert await choose(other, "autocorrelation-coarse") == "autocorrelation@1"
            await wait_until(lambda: one.service.engine.registry.active["voice"] == COARSE)
            after = one.transcribe(b"b")
            held.release.set()
            idle.release.set()
            _, first = await read_result(before)
            assert first.models["voice"] == "autocorrelation@1", "it ends with what it began with"
            assert (await last(after)).result.models["voice"] == COARSE
            assert (await last(other.transcribe(b"c"))).result.models["voice"] == COARSE
        async with gateway(tmp_path, valkey.url) as (new, _, _):
            assert new.service.engine.registry.active["voice"] == COARSE, "from the start"
            assert await choose(new, "autocorrelation") == COARSE
            await wait_until(lambda: one.service.engine.registry.active["voice"] != COARSE)


async def test_a_choice_during_forty_requests_fails_none_and_mixes_none(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    async with (
        gateway(tmp_path, valkey.url, queue_size=40) as (one, _, held),
        gateway(tmp_path, valkey.url, queue_size=40) as (other, _, idle),
    ):
        calls = [gate.transcribe(b"a") for _ in range(20) for gate in (one, other)]
        results = [asyncio.create_task(last(call)) for call in calls]
        await wait_until(lambda: held.began == idle.began == ["a"])
        for task in ("voice", "piano"):
            request = models_pb2.ActivateRequest(task=task, model="autocorrelation-coarse")
            await one.models.Activate(request)
        await wait_until(lambda: other.service.engine.registry.active["piano"] == COARSE)
        held.release.set()
        idle.release.set()
        used = [(await result).result.models for result in results]
        before = ("autocorrelation@1", "autocorrelation@1")
        pairs = Counter((models["voice"], models["piano"]) for models in used)
        assert pairs == {before: 2, (COARSE, COARSE): 38}
        listed = [await gate.models.List(models_pb2.ListRequest()) for gate in (one, other)]
        assert listed[0] == listed[1]


async def test_a_gateway_that_cannot_load_what_is_chosen_keeps_what_it_has(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, _, _), (other, caller, idle) = pair

    def refuse(task: Task, entry: ModelEntry) -> None:
        raise ModelRejected("it does not load here", task=task, model=entry.name)

    registry = other.service.engine.registry
    monkeypatch.setattr(registry, "_loader", refuse)
    with structlog.testing.capture_logs() as logs:
        await choose(one, "autocorrelation-coarse")
        await wait_until(lambda: any(log["event"] == "choice_not_loaded" for log in logs))
    assert registry.active["voice"] == "autocorrelation@1"
    idle.release.set()
    _, result = await read_result(caller.send("1"))
    assert result.models["voice"] == "autocorrelation@1"


async def test_nothing_is_chosen_while_the_server_is_away(pair: Any, valkey: ValkeyServer) -> None:
    (one, _, _), (other, _, _) = pair
    valkey.stop()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await choose(one, "autocorrelation-coarse")
    assert read_failure(raised.value).reason == "NOT_READY"
    assert one.service.engine.registry.active["voice"] == "autocorrelation@1"
    valkey.start()
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await choose(one, "autocorrelation-coarse")
                break
            await asyncio.sleep(0.05)
    await wait_until(lambda: other.service.engine.registry.active["voice"] == COARSE)
