"""Traces of requests, sent to an OpenTelemetry collector if the settings name one.

The request id names the trace: its id is the first 16 bytes of the id's SHA-256, and the span of
the bot's update, under which the service's calls belong, has the next 8. Bot and service compute
the same, so that nothing more passes between them, and whoever has a request id finds its trace.

A call is a span, and so is each of its stages, from its first report of progress to the next
stage's. What lies between them is waiting. Spans carry the names of methods, stages and error
codes, and never what was asked, files or tokens.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, cast

from inference_service.engine.service import UseCases
from inference_service.extras import needs_extra
from inference_service.progress import Progress, Stage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, Tracer

Note = Callable[[str], None]
"""Takes the outcome of a call: ``OK`` or the error's code."""

TraceCall = Callable[[str, str], AbstractContextManager[Note]]
"""Traces a call, given its method and request id, during a block."""

TRACED: Final = (
    "decode",
    "keep_recording",
    "transcribe",
    "render",
    "continue_music",
    "engrave",
    "convert_sound",
)
"""The use cases that report progress."""

SERVICE: Final = "notabot-service"


@contextmanager
def trace_nothing(method: str, request_id: str) -> Iterator[Note]:
    """Trace nothing; a :data:`TraceCall`."""
    yield lambda outcome: None


class Traces:
    """Spans of calls and of their stages.

    Parameters
    ----------
    tracer : opentelemetry.trace.Tracer
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def call(self, method: str, request_id: str) -> Iterator[Note]:
        """Trace a call; a :data:`TraceCall`."""
        from opentelemetry import trace

        parent = trace.NonRecordingSpan(_update_of(request_id))
        with self._tracer.start_as_current_span(
            method,
            trace.set_span_in_context(parent),
            kind=trace.SpanKind.SERVER,
            attributes={"notabot.request_id": request_id},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield lambda outcome: span.set_attribute("notabot.code", outcome)

    def follow(self, use_cases: UseCases) -> UseCases:
        """Return use cases whose stages are traced."""
        return cast("UseCases", _TracedUseCases(use_cases, self._tracer))


def build_traces(url: str) -> Traces:
    """Return traces that are sent to a collector.

    Parameters
    ----------
    url : str
        Where the collector takes OTLP over HTTP, such as ``http://collector:4318/v1/traces``.

    Raises
    ------
    MissingExtra
        If the extra ``traces`` is not installed.
    """
    with needs_extra("traces", "NOTABOT_TRACES_URL"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    return Traces(build_tracer(BatchSpanProcessor(OTLPSpanExporter(url))))


def build_tracer(processor: SpanProcessor) -> Tracer:
    """Return a tracer whose spans go to a processor; what is left is sent when the program ends."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    provider.add_span_processor(processor)
    return provider.get_tracer(__name__)


def _update_of(request_id: str) -> Any:
    """Return the context of the span of the bot's update, from the request id alone."""
    from opentelemetry import trace

    digest = hashlib.sha256(request_id.encode()).digest()
    return trace.SpanContext(
        trace_id=int.from_bytes(digest[:16]),
        span_id=int.from_bytes(digest[16:24]),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )


class _TracedUseCases:
    """Use cases of which those in :data:`TRACED` have a span for each stage."""

    def __init__(self, use_cases: UseCases, tracer: Tracer) -> None:
        self._use_cases = use_cases
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._use_cases, name)
        return _trace_stages(function, self._tracer) if name in TRACED else function


def _trace_stages(function: Callable[..., Any], tracer: Tracer) -> Callable[..., Any]:
    """Return a use case whose argument ``progress`` also begins and ends spans."""
    signature = inspect.signature(function)

    @wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        stages = _StageSpans(tracer, bound.arguments["progress"])
        bound.arguments["progress"] = stages.report
        try:
            return function(*bound.args, **bound.kwargs)
        finally:
            stages.end()

    return traced


class _StageSpans:
    """A span for each stage, from its first report to that of the next."""

    def __init__(self, tracer: Tracer, progress: Progress) -> None:
        self._tracer = tracer
        self._progress = progress
        self._stage: Stage | None = None
        self._span: Span | None = None

    def report(self, stage: Stage, fraction: float) -> None:
        """Pass progress on; the first report of a stage begins its span."""
        if stage is not self._stage:
            self.end()
            self._stage, self._span = stage, self._tracer.start_span(stage.value)
        self._progress(stage, fraction)

    def end(self) -> None:
        """End the span of the running stage."""
        if self._span is not None:
            self._span.end()
        self._span = None
