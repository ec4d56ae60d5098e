"""The HTTP server of the metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from inference_service.server import scrape
from inference_service.server.scrape import MAX_CONNECTIONS, ScrapeServer
from tests.service.running import free_port


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Port of a server of one metric."""
    registry = CollectorRegistry()
    Gauge("answer", "of all.", registry=registry).set(42)
    server = ScrapeServer(registry)
    number = free_port()
    await server.start("127.0.0.1", number)
    yield number
    server.stop()


async def ask(port: int, sent: bytes) -> bytes:
    """Return what the server answers before it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_the_metrics_in_the_format_that_is_asked_for(port: int) -> None:
    head, _, body = (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    assert b"answer 42.0\n" in body
    newer = b"GET / HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n"
    assert (await ask(port, newer)).endswith(b"# EOF\n")
    assert (await ask(port, b"HEAD /metrics HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /secret HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"\xff\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", b"431"),
    ],
)
async def test_other_requests_are_refused(port: int, sent: bytes, status: bytes) -> None:
    answer = await ask(port, sent)
    if status != b"431" or answer:  # what was sent too much may break the connection first
        assert answer.split(b" ")[1] == status
    assert b"answer" not in answer


async def test_half_a_request_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "LIMIT_S", 0.2)
    start_s = time.monotonic()
    assert await ask(port, b"GET /metrics") == b""
    assert time.monotonic() - start_s < 3


async def test_a_newcomer_takes_the_place_of_the_oldest(port: int) -> None:
    idle = [asyncio.create_task(ask(port, b"GET")) for _ in range(MAX_CONNECTIONS)]
    await asyncio.sleep(0.3)
    assert b"answer 42.0" in await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(idle[0], 1)
    assert not any(task.done() for task in idle[1:])
    for task in idle:
        task.cancel()
