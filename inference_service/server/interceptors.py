"""Request id, token check, errors, log line, metrics and trace of every call of our own services.

The health and reflection services are not wrapped: they need no token.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import grpc
import structlog
from pydantic import SecretStr

from inference_service.errors import Cancelled, Internal, NotabotError, Unauthenticated, drop_frames
from inference_service.server.convert.errors import DETAILS_KEY, STATUS_CODES, encode_error
from inference_service.server.metrics import Metrics
from inference_service.server.traces import TraceCall, trace_nothing

REQUEST_ID_KEY: Final = "x-request-id"

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_OURS: Final = "/notabot."
_OK: Final = "OK"
_DISCARD_S: Final = 1.0
_DISCARD_PAUSE_S: Final = 0.1
"""How long to read on after a failure, and how long a silence ends that."""

_log = structlog.get_logger()

Behaviour = Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Any]]


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Wraps the handlers of our own services, which are all coroutine functions.

    Parameters
    ----------
    tokens : mapping of str to SecretStr
        The bearer token that each service requires, by the service's full name.
    metrics : Metrics
    trace : TraceCall, optional
    """

    def __init__(
        self,
        tokens: Mapping[str, SecretStr],
        metrics: Metrics,
        trace: TraceCall = trace_nothing,
    ) -> None:
        self._tokens = tokens
        self._metrics = metrics
        self._trace = trace

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        path: str = handler_call_details.method
        if handler is None or not path.startswith(_OURS):
            return handler
        service, _, method = path.removeprefix("/").partition("/")

        def around(behaviour: Behaviour) -> Behaviour:
            async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
                return await self._call(behaviour, service, method, request, context)

            return call

        return _wrap(handler, around)

    async def _call(
        self,
        behaviour: Behaviour,
        service: str,
        method: str,
        request: Any,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> Any:
        metadata = dict(context.invocation_metadata() or ())
        request_id = _request_id(metadata)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, method=method)
        context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
        with self._trace(method, request_id) as note:
            start_s = time.monotonic()
            outcome = Cancelled.code
            try:
                self._authenticate(service, metadata)
                response = await behaviour(request, context)
                outcome = _OK
                return response
            except asyncio.CancelledError:
                raise
            except NotabotError as error:
                outcome = error.code
                _log.info("call_failed", code=error.code, cause=error.cause)
                drop_frames(error)
                await _discard(request)
                await _abort(context, error, request_id)
            except Exception as error:
                outcome = Internal.code
                _log.exception("call_broke")
                drop_frames(error)
                await _discard(request)
                broken = Internal("an error inside the service; its log has the request id")
                await _abort(context, broken, request_id)
            finally:
                note(outcome)
                seconds = time.monotonic() - start_s
                self._metrics.count_call(method, outcome, seconds)
                _log.info("call", code=outcome, seconds=round(seconds, 3))

    def _authenticate(self, service: str, metadata: Mapping[str, str | bytes]) -> None:
        token = self._tokens.get(service)
        if token is None:
            return
        expected = f"Bearer {token.get_secret_value()}".encode()
        given = metadata.get("authorization", "")
        given_bytes = given if isinstance(given, bytes) else given.encode()
        if not hmac.compare_digest(given_bytes, expected):
            raise Unauthenticated("a bearer token is missing or wrong")


def _request_id(metadata: Mapping[str, str | bytes]) -> str:
    """Return the caller's request id if it is well-formed, else a new one."""
    given = metadata.get(REQUEST_ID_KEY, "")
    if isinstance(given, str) and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(8)


async def _discard(request: Any) -> None:
    """Keep reading for a moment what the caller is still sending.

    If a call ends while one of the caller's messages is in transit, gRPC's asyncio client loses the
    status and reports an internal error instead.
    """
    if not isinstance(request, AsyncIterable):
        return
    messages = aiter(request)
    end_s = time.monotonic() + _DISCARD_S
    with suppress(StopAsyncIteration, TimeoutError, asyncio.InvalidStateError):
        while time.monotonic() < end_s:
            await asyncio.wait_for(anext(messages), _DISCARD_PAUSE_S)


async def _abort(
    context: grpc.aio.ServicerContext[Any, Any], error: NotabotError, request_id: str
) -> None:
    details = encode_error(error).SerializeToString()
    trailing = ((REQUEST_ID_KEY, request_id), (DETAILS_KEY, details))
    await context.abort(STATUS_CODES[error.kind], error.cause, trailing)


def _wrap(
    handler: grpc.RpcMethodHandler, around: Callable[[Behaviour], Behaviour]
) -> grpc.RpcMethodHandler:
    coders = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.stream_stream is not None:
        return grpc.stream_stream_rpc_method_handler(around(handler.stream_stream), **coders)
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(around(handler.unary_stream), **coders)
    if handler.stream_unary is not None:
        return grpc.stream_unary_rpc_method_handler(around(handler.stream_unary), **coders)
    return grpc.unary_unary_rpc_method_handler(around(handler.unary_unary), **coders)
