"""Traces: a span for each call and stage, found by the request id, without any content."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from queue import SimpleQueue

import grpc
import pytest
from notabot.v1 import transcription_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from inference_service.server.traces import Traces, build_tracer, build_traces
from inference_service.settings import Settings
from tests.factories import build_notes, build_scale, encode_audio
from tests.service.running import drain, run_service

REQUEST_ID = "0123456789abcdef"
DIGEST = hashlib.sha256(REQUEST_ID.encode()).digest()


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter: InMemorySpanExporter) -> Traces:
    return Traces(build_tracer(SimpleSpanProcessor(exporter)))


def _id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


async def test_a_call_has_a_span_and_its_stages_below(
    build: Callable[..., Settings], exporter: InMemorySpanExporter, traces: Traces
) -> None:
    audio = encode_audio(build_notes(build_scale()).samples)
    async with run_service(build(), traces=traces) as running:
        await drain(running.transcribe(audio, metadata=(("x-request-id", REQUEST_ID),)))
    spans = exporter.get_finished_spans()
    [call] = [span for span in spans if span.name == "Transcribe"]
    stages = [span for span in spans if span is not call]
    assert [span.name for span in stages] == [
        "decode",
        "decode",  # the recording is encoded, to be kept
        "tuning",
        "tagging",
        "chords",
        "key",
        "beats",
        "notation",
        "engraving",
    ]
    assert call.parent is not None
    assert call.parent.trace_id == int.from_bytes(DIGEST[:16])
    assert call.parent.span_id == int.from_bytes(DIGEST[16:24])
    assert call.attributes == {"notabot.request_id": REQUEST_ID, "notabot.code": "OK"}
    for span in stages:
        assert span.parent is not None
        assert span.parent.span_id == _id(call)
        assert not span.attributes
    for before, after in pairwise(stages):
        assert (before.end_time or 0) <= (after.start_time or 0)


async def test_a_failure_shows_its_code_and_nothing_else(
    build: Callable[..., Settings], exporter: InMemorySpanExporter, traces: Traces
) -> None:
    async with run_service(build(), traces=traces) as running:
        request = transcription_pb2.RenderRequest(result_id="a secret")
        with pytest.raises(grpc.aio.AioRpcError):
            await drain(running.transcription.Render(request))
    [call] = exporter.get_finished_spans()
    assert call.attributes is not None
    assert call.attributes["notabot.code"] == "RESULT_EXPIRED"
    assert not call.events
    assert "secret" not in call.to_json()


@pytest.fixture
def collector() -> Iterator[tuple[str, SimpleQueue[bytes]]]:
    """Yield the address of a collector, and what it is sent."""
    received: SimpleQueue[bytes] = SimpleQueue()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    server.shutdown()
    server.server_close()


def test_a_collector_gets_the_spans(
    collector: tuple[str, SimpleQueue[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    url, received = collector
    with build_traces(url).call("Describe", REQUEST_ID) as note:
        note("OK")
    sent = ExportTraceServiceRequest.FromString(received.get(timeout=10))
    [resource] = sent.resource_spans
    names = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert names["service.name"] == "notabot-service"
    [span] = resource.scope_spans[0].spans
    assert (span.name, span.trace_id) == ("Describe", DIGEST[:16])


def test_neither_program_imports_opentelemetry_unasked() -> None:
    program = (
        "import sys, bot.__main__, inference_service.assembly; "
        "sys.exit('opentelemetry' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
