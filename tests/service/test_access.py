"""Tokens, TLS, reflection, metrics."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
import trustme
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from notabot.v1 import models_pb2, transcription_pb2, transcription_pb2_grpc
from pydantic import ValidationError

from inference_service.assembly import build_service
from inference_service.settings import Settings
from tests.service.running import (
    HeldPipeline,
    Running,
    drain,
    free_port,
    messages,
    read_failure,
    run_service,
)

TOKENS = {"token": "for-callers", "admin_token": "for-administrators"}


def bearer(token: str) -> tuple[tuple[str, str]]:
    return (("authorization", f"Bearer {token}"),)


async def transcription_status(running: Running, metadata: Any) -> grpc.StatusCode:
    call = running.transcribe(b"a", metadata=metadata)
    with suppress(grpc.aio.AioRpcError):
        await drain(call)
    return await call.code()


async def models_status(running: Running, metadata: Any) -> grpc.StatusCode:
    call = running.models.Status(models_pb2.StatusRequest(), metadata=metadata)
    return await call.code()


async def test_each_service_has_its_own_token(build: Callable[..., Settings]) -> None:
    settings = build(server=TOKENS)
    held = HeldPipeline(settings)
    held.release.set()
    ok, refused = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED
    async with run_service(settings, use_cases=held) as running:
        for metadata, transcription, models in [
            (None, refused, refused),
            (bearer("wrong"), refused, refused),
            ((("authorization", "for-callers"),), refused, refused),
            (bearer("for-callers"), ok, refused),
            (bearer("for-administrators"), refused, ok),
        ]:
            assert await transcription_status(running, metadata) is transcription
            assert await models_status(running, metadata) is models
        answer = await running.health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert held.began == ["a"]


async def test_a_refusal_reaches_a_caller_in_the_middle_of_its_upload(
    build: Callable[..., Settings],
) -> None:
    settings = build(server=TOKENS)
    async with run_service(settings, use_cases=HeldPipeline(settings)) as running:
        for _ in range(10):
            call = running.transcribe(bytes(2_000_000))
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await drain(call)
            assert read_failure(raised.value).reason == "UNAUTHENTICATED"


async def test_without_a_token_of_its_own_administration_is_closed(
    build: Callable[..., Settings],
) -> None:
    refused = grpc.StatusCode.UNAUTHENTICATED
    for server in (
        {"token": "for-callers"},
        {"listen": "0.0.0.0:0", "public_without_token": True},
    ):
        settings = build(server=server)
        async with run_service(settings, use_cases=HeldPipeline(settings)) as running:
            for metadata in (None, bearer("for-callers"), bearer("")):
                assert await models_status(running, metadata) is refused


async def test_administrators_need_another_token_than_callers(
    build: Callable[..., Settings],
) -> None:
    with pytest.raises(ValidationError, match="must differ"):
        build(server={"token": "the-same", "admin_token": "the-same"})


async def test_tokens_audio_and_titles_are_never_logged(build: Callable[..., Settings]) -> None:
    settings = build(server=TOKENS)
    held = HeldPipeline(settings)
    held.release.set()
    with structlog.testing.capture_logs() as lines:
        async with run_service(settings, use_cases=held) as running:
            call = running.transcription.Transcribe(
                iter(messages(b"audio-bytes", title="private title")),
                metadata=bearer("for-callers"),
            )
            await drain(call)
            await transcription_status(running, bearer("wrong-token"))
    text = repr(lines)
    assert "transcription_done" in text
    for secret in (*TOKENS.values(), "wrong-token", "audio-bytes", "private title"):
        assert secret not in text
    assert "for-callers" not in repr(settings)


async def test_tls(build: Callable[..., Settings], tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(tmp_path / "cert.pem", append=True)
    settings = build(server={"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"})
    service = build_service(settings)
    await service.start()
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    async with grpc.aio.secure_channel(f"localhost:{service.port}", credentials) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    async with grpc.aio.insecure_channel(f"localhost:{service.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
    await service.stop()


async def test_half_of_tls_is_refused(build: Callable[..., Settings]) -> None:
    with pytest.raises(ValueError, match="go together"):
        build(server={"tls_cert": "cert.pem"})


async def test_reflection_describes_the_services(running: Running) -> None:
    def describe() -> tuple[list[str], list[str]]:
        with grpc.insecure_channel(f"127.0.0.1:{running.service.port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            service = DescriptorPool(database).FindServiceByName("notabot.v1.Transcription")
            return list(database.get_services()), [method.name for method in service.methods]

    services, methods = await asyncio.to_thread(describe)
    assert {"notabot.v1.Transcription", "notabot.v1.Models", "grpc.health.v1.Health"} <= set(
        services
    )
    assert methods == ["Transcribe", "Render", "Continue", "Describe", "Forget"]


async def test_metrics(build: Callable[..., Settings]) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = build(server={"metrics_listen": address}, audio={"max_bytes": 10})
    held = HeldPipeline(settings)
    held.release.set()

    def scrape() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics") as response:
            return str(response.read().decode())

    async with run_service(settings, use_cases=held) as running:
        await transcription_status(running, None)
        await transcription_status(running, None)
        stub = transcription_pb2_grpc.TranscriptionStub(running.channel)  # type: ignore[no-untyped-call]
        request = transcription_pb2.RenderRequest(result_id="unknown")
        with pytest.raises(grpc.aio.AioRpcError):
            await drain(stub.Render(request))
        text = await asyncio.to_thread(scrape)
    assert 'notabot_requests_total{code="OK",method="Transcribe"} 2.0' in text
    assert 'notabot_requests_total{code="RESULT_EXPIRED",method="Render"} 1.0' in text
    assert 'notabot_stage_seconds_count{stage="tagging"} 2.0' in text
    assert "notabot_queue_length 0.0" in text
    assert "notabot_results_reused_total 0.0" in text
    assert 'notabot_model_info{model="autocorrelation@1",task="voice"} 1.0' in text
    assert re.search(r'notabot_disk_free_bytes\{folder="jobs"\} [1-9]', text)


async def test_an_address_in_use_is_reported(
    build: Callable[..., Settings], running: Running
) -> None:
    taken = build(server={"listen": f"127.0.0.1:{running.service.port}"})
    service = build_service(taken)
    with pytest.raises(OSError, match="cannot listen"):
        await service.start()
    await service.stop()
