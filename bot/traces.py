"""Traces of updates, sent to an OpenTelemetry collector if the settings name one.

The request id names the trace: its id is the first 16 bytes of the id's SHA-256, and the span of
the update has the next 8. The service computes the same from the request id that it is sent, and
puts its spans under the update's.

An update is a span, and so is each request to Telegram. Spans carry the kinds of updates and the
names of methods, and never who wrote, what, or a token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from aiogram import BaseMiddleware, Bot, Dispatcher
from aiogram.client.session.middlewares.base import (
    BaseRequestMiddleware,
    NextRequestMiddlewareType,
)
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import TelegramObject, Update

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

SERVICE: Final = "notabot-bot"

_beginning: ContextVar[str] = ContextVar("beginning", default="")
"""The request id of the update whose span is being made."""


def install_traces(url: str, dispatcher: Dispatcher, bot: Bot) -> None:
    """Send spans of updates, and of requests to Telegram, to a collector.

    Parameters
    ----------
    url : str
        Where the collector takes OTLP over HTTP, such as ``http://collector:4318/v1/traces``.
    dispatcher : Dispatcher
        Its own middlewares are there already, of which one gives each update a request id.
    bot : Bot

    Raises
    ------
    OSError
        If the extra ``traces`` is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise OSError(f"{error.name} is missing; BOT_TRACES_URL needs the extra `traces`") from None
    follow(build_tracer(BatchSpanProcessor(OTLPSpanExporter(url))), dispatcher, bot)


def follow(tracer: Tracer, dispatcher: Dispatcher, bot: Bot) -> None:
    """Make spans of updates and of requests to Telegram."""
    dispatcher.update.outer_middleware(_TracedUpdates(tracer))
    bot.session.middleware(_TracedRequests(tracer))


def build_tracer(processor: SpanProcessor) -> Tracer:
    """Return a tracer whose spans go to a processor; what is left is sent when the program ends."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class FromRequestId(RandomIdGenerator):
        """Takes the ids of an update's span from its request id."""

        def generate_trace_id(self) -> int:
            request_id = _beginning.get()
            return _digest(request_id, 0, 16) if request_id else super().generate_trace_id()

        def generate_span_id(self) -> int:
            request_id = _beginning.get()
            return _digest(request_id, 16, 24) if request_id else super().generate_span_id()

    provider = TracerProvider(
        resource=Resource.create({"service.name": SERVICE}), id_generator=FromRequestId()
    )
    provider.add_span_processor(processor)
    return provider.get_tracer(__name__)


def _digest(request_id: str, start: int, stop: int) -> int:
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[start:stop])


class _TracedUpdates(BaseMiddleware):
    """Makes a span of each update."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Handle an update under its span."""
        from opentelemetry import trace
        from opentelemetry.context import Context

        assert isinstance(event, Update)
        request_id = data["request_id"]
        token = _beginning.set(request_id)
        try:
            span = self._tracer.start_span(
                event.event_type, Context(), attributes={"notabot.request_id": request_id}
            )
        finally:
            _beginning.reset(token)
        with trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            return await handler(event, data)


class _TracedRequests(BaseRequestMiddleware):
    """Makes a span of each request to Telegram that belongs to an update."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Send a request under its span."""
        from opentelemetry import trace

        if not trace.get_current_span().get_span_context().is_valid:  # such as getUpdates
            return await make_request(bot, method)
        with self._tracer.start_as_current_span(
            method.__api_method__,
            kind=trace.SpanKind.CLIENT,
            record_exception=False,
            set_status_on_exception=False,
        ):
            return await make_request(bot, method)
