"""Models: listed, changed while requests run, refused."""

from __future__ import annotations

import asyncio
import math
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2
from notabot.v1 import models_pb2

from inference_service import tiny
from inference_service.assembly import build_catalog, build_loader
from inference_service.audio.waveform import Waveform
from inference_service.engine.catalog import Catalog, ModelEntry, PublishedFile
from inference_service.errors import ModelFetchFailed, ModelRejected, NotReady
from inference_service.music.events import NoteEvent
from inference_service.pipeline.routing import PresetRouter
from inference_service.pipeline.stages import Component, Task
from inference_service.settings import ModelSettings, Settings
from inference_service.tiny import AutocorrelationTagger, build_tiny_catalog
from tests.service.running import (
    HeldPipeline,
    Running,
    build_far_catalog,
    free_port,
    last,
    read_failure,
    run_service,
    wait_until,
)
from tests.unit.model_zoo.server import CONTENT, Server, serve_weights


async def activate(running: Running, task: str, model: str) -> models_pb2.ActivateResponse:
    request = models_pb2.ActivateRequest(task=task, model=model)
    response: models_pb2.ActivateResponse = await running.models.Activate(request)
    return response


async def refuse(running: Running, task: str, model: str) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await activate(running, task, model)
    return read_failure(raised.value)


async def states(running: Running, task: str) -> dict[str, int]:
    response = await running.models.List(models_pb2.ListRequest())
    return {model.name: model.state for model in response.models if model.task == task}


async def test_exchange_under_load_fails_no_request(build: Callable[..., Settings]) -> None:
    settings = build(engine={"queue_size": 8, "caller_share": 1.0})
    held = HeldPipeline(settings)
    async with run_service(settings, use_cases=held) as running:
        names = [bytes([97 + index]) for index in range(8)]
        calls = [running.transcribe(name) for name in names]
        results = [asyncio.create_task(last(call)) for call in calls]
        await wait_until(
            lambda: bool(held.began) and len(running.service.engine.transcriptions) == 8
        )
        response = await activate(running, "voice", "autocorrelation-coarse")
        assert response.previous == "autocorrelation@1"
        assert response.model.state == models_pb2.MODEL_STATE_ACTIVE
        held.release.set()
        used = {
            name.decode(): (await result).result.models["voice"]
            for name, result in zip(names, results, strict=True)
        }
    first = held.began[0]
    assert used.pop(first) == "autocorrelation@1"
    assert set(used.values()) == {"autocorrelation-coarse@1"}


async def test_the_list_tells_what_is_active(running: Running) -> None:
    assert await states(running, "song") == {
        "autocorrelation": models_pb2.MODEL_STATE_ACTIVE,
        "autocorrelation-coarse": models_pb2.MODEL_STATE_AVAILABLE,
    }
    await activate(running, "song", "autocorrelation-coarse")
    assert (await states(running, "song"))["autocorrelation"] == models_pb2.MODEL_STATE_AVAILABLE
    status = await running.models.Status(models_pb2.StatusRequest())
    assert status.active["song"] == "autocorrelation-coarse@1"
    assert status.active["voice"] == "autocorrelation@1"


async def test_status(running: Running, held: HeldPipeline) -> None:
    before = await running.models.Status(models_pb2.StatusRequest())
    assert (before.ready, before.busy, before.queue_length, before.queue_limit) == (
        True, False, 0, 3,
    )  # fmt: skip
    assert before.memory_bytes > 10_000_000
    assert before.device == "cpu"
    assert "grpcio" in before.versions
    calls = [asyncio.create_task(last(running.transcribe(name))) for name in (b"a", b"b")]
    await wait_until(
        lambda: running.service.engine.busy and len(running.service.engine.transcriptions) == 2
    )
    during = await running.models.Status(models_pb2.StatusRequest())
    assert (during.busy, during.queue_length) == (True, 1)
    held.release.set()
    await asyncio.gather(*calls)
    after = await running.models.Status(models_pb2.StatusRequest())
    assert (after.completed, after.failed) == (2, 0)


@pytest.mark.parametrize(
    ("task", "model"), [("song", "no-such"), ("no-such", "steady"), ("song", "steady"), ("", "")]
)
async def test_unknown_models(running: Running, task: str, model: str) -> None:
    failure = await refuse(running, task, model)
    assert failure.status is grpc.StatusCode.NOT_FOUND
    assert failure.reason == "MODEL_UNKNOWN"
    assert failure.params == {"task": task, "model": model}


class Deaf(AutocorrelationTagger):
    """A tagger that finds no notes."""

    def tag(self, *arguments: Any) -> list[NoteEvent]:
        return []


class Garbling(AutocorrelationTagger):
    """A tagger that returns NaN as a time."""

    def tag(self, *arguments: Any) -> list[NoteEvent]:
        return [NoteEvent(math.nan, 1.0, 60)]


class Crashing(AutocorrelationTagger):
    """A tagger that raises an exception."""

    def tag(self, *arguments: Any) -> list[NoteEvent]:
        raise RuntimeError("a tensor of the wrong shape")


def entry(name: str, files: tuple[PublishedFile, ...] = ()) -> ModelEntry:
    return ModelEntry(
        name=name,
        version="1",
        tasks=(Task.VOICE,),
        factory="inference_service.tiny:build",
        kind="url" if files else "builtin",
        licence="MIT",
        summary="",
        paper="",
        sample_rate_hz=44100,
        files=files,
    )


FILE = PublishedFile(url="https://example.org/w.bin", sha256="0" * 64, size_bytes=10)


def load_odd(task: Task, model: ModelEntry) -> Component:
    odd: dict[str, Callable[[], Component]] = {
        "deaf": Deaf,
        "garbling": Garbling,
        "crashing": Crashing,
    }
    if model.name == "unloadable":
        raise OSError("no such kernel")
    return odd[model.name]() if model.name in odd else build_loader(ModelSettings())(task, model)


@pytest.fixture
def odd_catalog() -> Catalog:
    small = build_tiny_catalog()
    odd = [entry(name) for name in ("deaf", "garbling", "crashing", "unloadable")]
    return Catalog(profiles=small.profiles, models=(*small.models, *odd, entry("far", (FILE,))))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("deaf", "none of the chord's"),
        ("garbling", "not finite"),
        ("crashing", "wrong shape"),
        ("unloadable", "no such kernel"),
    ],
)
async def test_a_bad_model_leaves_the_old_one_serving(
    settings: Settings, held: HeldPipeline, odd_catalog: Catalog, model: str, why: str
) -> None:
    overrides: dict[str, Any] = {"catalog": odd_catalog, "loader": load_odd, "use_cases": held}
    async with run_service(settings, **overrides) as running:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await activate(running, "voice", model)
        failure = read_failure(raised.value)
        assert failure.status is grpc.StatusCode.FAILED_PRECONDITION
        assert failure.reason == "MODEL_REJECTED"
        assert failure.params == {"task": "voice", "model": model}
        assert why in str(raised.value.details())
        status = await running.models.Status(models_pb2.StatusRequest())
        assert status.active["voice"] == "autocorrelation@1"
        held.release.set()
        assert (await last(running.transcribe(b"a"))).HasField("result")


def first_choice(catalog: Catalog, task: Task, model: str) -> Catalog:
    """The same models, of which another serves a task from the start."""
    profile = {**catalog.profiles["tiny"], task: (model,)}
    return Catalog(profiles={"tiny": profile}, models=catalog.models)


@pytest.mark.parametrize("model", ["deaf", "garbling", "crashing", "unloadable"])
async def test_a_bad_model_never_serves(
    settings: Settings, held: HeldPipeline, odd_catalog: Catalog, model: str
) -> None:
    catalog = first_choice(odd_catalog, Task.VOICE, model)
    overrides: dict[str, Any] = {"catalog": catalog, "loader": load_odd, "use_cases": held}
    async with run_service(settings, load=False, **overrides) as running:
        with pytest.raises(ModelRejected, match=model):
            await running.service.load()
        assert not await is_serving(running)


@pytest.mark.parametrize("model", ["deaf", "garbling", "crashing", "unloadable"])
async def test_a_bad_model_is_substituted_by_the_next_of_the_profile(
    build: Callable[..., Settings], odd_catalog: Catalog, model: str
) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = build(server={"metrics_listen": address})
    held = HeldPipeline(settings)
    held.release.set()
    profile = {**odd_catalog.profiles["tiny"], Task.VOICE: (model, "crashing", "autocorrelation")}
    catalog = Catalog(profiles={"tiny": profile}, models=odd_catalog.models)
    overrides: dict[str, Any] = {"catalog": catalog, "loader": load_odd, "use_cases": held}
    with structlog.testing.capture_logs() as logs:
        async with run_service(settings, **overrides) as running:
            assert await is_serving(running)
            metrics = await asyncio.to_thread(scrape, address)
            assert (await last(running.transcribe(b"a"))).HasField("result")
    assert 'notabot_model_info{model="autocorrelation@1",task="voice"} 1.0' in metrics
    reasons = [line["reason"] for line in logs if line["event"] == "model_substituted"]
    assert reasons[0].startswith(f"voice is done by crashing, without {model}: ")
    assert reasons[1].startswith("voice is done by autocorrelation, without crashing: ")


def scrape(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as response:
        return str(response.read().decode())


class Silent:
    """A listener whose network has weights that are not numbers."""

    def tag(self, *arguments: Any) -> list[NoteEvent]:
        return []

    def rate(self, excerpt: Waveform) -> dict[str, float]:
        return {"voice": math.nan, "song": math.nan}


async def test_a_router_with_broken_weights_never_serves(
    settings: Settings, held: HeldPipeline
) -> None:
    router = PresetRouter(Silent())
    overrides: dict[str, Any] = {"load_router": lambda: router, "use_cases": held}
    async with run_service(settings, load=False, **overrides) as running:
        with pytest.raises(ModelRejected, match=r"router .* its listener: heard 0 notes"):
            await running.service.load()
        assert not await is_serving(running)


async def test_a_shipped_file_that_was_changed_never_serves(
    settings: Settings, held: HeldPipeline
) -> None:
    shipped = build_catalog("cpu").named("melodic-prior")
    [file] = shipped.files
    changed = shipped.model_copy(
        update={"name": "changed", "files": (file.model_copy(update={"sha256": "0" * 64}),)}
    )
    small = build_tiny_catalog()
    catalog = Catalog(profiles=small.profiles, models=(*small.models, changed))
    catalog = first_choice(catalog, Task.PITCH, "changed")
    async with run_service(settings, load=False, catalog=catalog, use_cases=held) as running:
        with pytest.raises(ModelFetchFailed, match="it is not used"):
            await running.service.load()
        assert not await is_serving(running)


async def is_serving(running: Running) -> bool:
    answer = await running.health.Check(health_pb2.HealthCheckRequest())
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def place_weights(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"0123456789")


async def test_weights_that_are_not_fetched(
    settings: Settings, held: HeldPipeline, odd_catalog: Catalog
) -> None:
    overrides: dict[str, Any] = {"catalog": odd_catalog, "loader": load_odd, "use_cases": held}
    async with run_service(settings, **overrides) as running:
        assert (await states(running, "voice"))["far"] == models_pb2.MODEL_STATE_NOT_FETCHED
        failure = await refuse(running, "voice", "far")
        assert failure.reason == "MODEL_NOT_FETCHED"
        place_weights(settings.models.weights / "far" / "w.bin")
        assert (await states(running, "voice"))["far"] == models_pb2.MODEL_STATE_AVAILABLE


async def test_no_exchange_before_the_first_models_are_there(
    settings: Settings, held: HeldPipeline
) -> None:
    async with run_service(settings, load=False, use_cases=held) as running:
        failure = await refuse(running, "voice", "autocorrelation-coarse")
        assert failure.status is grpc.StatusCode.UNAVAILABLE
        assert failure.reason == NotReady.code
        assert failure.retry_after_s is not None
        assert (await states(running, "key")) == {"scale": models_pb2.MODEL_STATE_LOADING}
        status = await running.models.Status(models_pb2.StatusRequest())
        assert not status.ready


@pytest.fixture
def weights_server() -> Iterator[Server]:
    """A server of weights."""
    yield from serve_weights()


async def test_the_first_start_fetches_what_the_profile_prefers(
    settings: Settings, weights_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tiny._STAGES, "far", tiny.MidSideSeparator())
    catalog = build_far_catalog(weights_server.url)
    for _ in range(2):  # the second start finds it
        async with run_service(settings, catalog=catalog) as running:
            assert running.service.engine.registry.active["separation"] == "far@1"
    assert (settings.models.weights / "far" / "w.bin").read_bytes() == CONTENT
    assert weights_server.asked == [None]


async def test_without_the_download_another_model_serves(
    settings: Settings, weights_server: Server
) -> None:
    weights_server.statuses = [404]
    catalog = build_far_catalog(weights_server.url)
    with structlog.testing.capture_logs() as logs:
        async with run_service(settings, catalog=catalog) as running:
            assert (await states(running, "separation")) == {
                "mid-side": models_pb2.MODEL_STATE_ACTIVE,
                "far": models_pb2.MODEL_STATE_NOT_FETCHED,
            }
    (line,) = [entry for entry in logs if entry["event"] == "model_substituted"]
    assert line["reason"].startswith("separation is done by mid-side, without far: 127.0.0.1:")
    assert line["reason"].endswith(" answers 404 for it")
