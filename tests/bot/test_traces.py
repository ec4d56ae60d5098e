"""Traces of updates: named by the request id that the service is sent, without any content."""

from __future__ import annotations

import hashlib

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot.traces import build_tracer, follow
from tests.bot.conftest import Harness


@pytest.fixture
def exporter(harness: Harness) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    tracer = build_tracer(SimpleSpanProcessor(exporter))
    follow(tracer, harness.dispatcher, harness.bot)
    return exporter


def _split(exporter: InMemorySpanExporter) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """Return the span of the update, and those of requests to Telegram."""
    spans = list(exporter.get_finished_spans())
    [update] = [span for span in spans if span.parent is None]
    return update, [span for span in spans if span is not update]


async def test_an_update_and_its_requests_are_one_trace(
    harness: Harness, exporter: InMemorySpanExporter
) -> None:
    await harness.person().say_voice()
    update, requests = _split(exporter)
    assert update.name == "message"
    request_id = harness.service.metadata["x-request-id"]
    assert update.attributes == {"notabot.request_id": request_id}
    digest = hashlib.sha256(request_id.encode()).digest()
    own = update.get_span_context()
    assert own is not None
    assert own.trace_id == int.from_bytes(digest[:16])
    assert own.span_id == int.from_bytes(digest[16:24])
    assert {"sendMessage", "sendPhoto"} <= {span.name for span in requests}
    for span in requests:
        assert span.parent is not None
        assert span.parent.span_id == own.span_id
        assert not span.attributes


async def test_nothing_that_was_written_is_in_a_span(
    harness: Harness, exporter: InMemorySpanExporter
) -> None:
    await harness.person(user_id=424242).say("my secret wish")
    for span in exporter.get_finished_spans():
        written = span.to_json()
        assert "secret" not in written
        assert "424242" not in written
        assert harness.bot.token not in written


async def test_each_update_has_its_own_trace(
    harness: Harness, exporter: InMemorySpanExporter
) -> None:
    person = harness.person()
    await person.say("/start")
    await person.say("/help")
    roots = [span for span in exporter.get_finished_spans() if span.parent is None]
    traces = {span.get_span_context().trace_id for span in roots}  # type: ignore[union-attr]
    assert len(roots) == len(traces) == 2


async def test_what_belongs_to_no_update_is_not_traced(
    harness: Harness, exporter: InMemorySpanExporter
) -> None:
    await harness.bot.get_me()
    assert not exporter.get_finished_spans()
