"""The calls of ``proto/notabot/v1``, with deadlines, tokens and one retry.

The client keeps these rules:

- Every call carries ``x-request-id``, a deadline, and the bearer token where one is set.
- Errors are read from the ``google.rpc.Status`` in the trailing metadata: ``ErrorInfo`` (domain
  ``notabot``) names the code, ``RetryInfo`` the wait. A status without them comes from the
  connection, not from the service's own code.
- A call that fails as UNAVAILABLE is retried once, and only if the request cannot have begun:
  nothing was sent, or the service refused it before its first event. Calls that change nothing are
  retried whenever no event has arrived.
- A keepalive ping is sent every :data:`KEEPALIVE_INTERVAL_S`. If the service vanishes without
  closing its connection, this is noticed after at most :data:`KEEPALIVE_INTERVAL_S` +
  :data:`KEEPALIVE_TIMEOUT_S`. The service must allow pings that often.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
from notabot.v1 import models_pb2, models_pb2_grpc, transcription_pb2, transcription_pb2_grpc

from bot.client.conversion import (
    EventDecoder,
    decode_error,
    decode_model,
    decode_status,
    encode_continue_request,
    encode_render_options,
    encode_transcribe_options,
)
from bot.client.types import (
    Artifact,
    ContinueOptions,
    Event,
    Model,
    Preset,
    Progress,
    Queued,
    RenderOptions,
    Result,
    ServiceStatus,
)
from bot.errors import BotErrorCode, ServiceError, ServiceErrorCode
from bot.room import Place

CHUNK_BYTES: Final = 64 * 1024
KEEPALIVE_INTERVAL_S: Final = 1.5
KEEPALIVE_TIMEOUT_S: Final = 3.0
RETRY_PAUSE_S: Final = 1.2  # longer than max_reconnect_backoff_ms below
MAX_RETRY_PAUSE_S: Final = 10.0
RENDER_DEADLINE_S: Final = 120.0
LOOK_DEADLINE_S: Final = 10.0
ACTIVATE_DEADLINE_S: Final = 600.0
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024  # gRPC's default of 4 MiB is tight for a long song

_CHANNEL_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", int(KEEPALIVE_INTERVAL_S * 1000)),
    ("grpc.keepalive_timeout_ms", int(KEEPALIVE_TIMEOUT_S * 1000)),
    # Without this option an unanswered ping is noticed only after a minute.
    ("grpc.http2.ping_timeout_ms", int(KEEPALIVE_TIMEOUT_S * 1000)),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 4000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)

_REFUSALS: Final = frozenset({ServiceErrorCode.NOT_READY, ServiceErrorCode.SHUTTING_DOWN})
"""Codes of a service that is reachable but did not accept the request."""

T = TypeVar("T")
Metadata = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Attempt:
    """The state of one attempt at a call."""

    repeatable: bool
    sent: bool = False
    answered: bool = False
    admitted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def may_have_begun(self) -> bool:
        return self.answered or (self.sent and not self.repeatable)


class ServiceClient:
    """Calls the service over one channel that stays open.

    Parameters
    ----------
    address : str
        ``HOST:PORT``.
    token, admin_token : str
        Bearer tokens for ``Transcription`` and for ``Models``; empty: none.
    tls_ca_path : Path or None
        Certificates to trust; None: no TLS.
    deadline_s : float
        For one transcription, including its time in the queue.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str = "",
        admin_token: str = "",
        tls_ca_path: Path | None = None,
        deadline_s: float = 1800.0,
    ) -> None:
        if tls_ca_path is None:
            self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(tls_ca_path.read_bytes())
            self._channel = grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)
        self._transcription = transcription_pb2_grpc.TranscriptionStub(self._channel)  # type: ignore[no-untyped-call]
        self._models = models_pb2_grpc.ModelsStub(self._channel)  # type: ignore[no-untyped-call]
        self._token = token
        self._admin_token = admin_token
        self._deadline_s = deadline_s

    def transcribe(
        self,
        read: Callable[[], AsyncGenerator[bytes]],
        *,
        preset: Preset = Preset.AUTO,
        options: RenderOptions | None = None,
        request_id: str,
    ) -> AsyncGenerator[Event]:
        """Send a recording; yield events until the :class:`Result`, the last one.

        Closing the generator, or cancelling the task that runs it, cancels the call and stops the
        service's work.

        Parameters
        ----------
        read : callable
            Returns the recording in pieces of at most :data:`CHUNK_BYTES`. It is called once the
            service has admitted the request, and each piece is sent before the next is read.
        preset : Preset
        options : RenderOptions or None
        request_id : str

        Raises
        ------
        ServiceError
            An exception of ``read`` is raised as it is.
        """
        first = transcription_pb2.TranscribeRequest(
            options=encode_transcribe_options(preset, options or RenderOptions())
        )

        def start(attempt: _Attempt) -> AsyncGenerator[Event]:
            call = self._transcription.Transcribe(
                timeout=self._deadline_s, metadata=_metadata(request_id, self._token)
            )
            return _converse(call, attempt, first, read)

        return _try_twice(start, repeatable=False)

    def render(
        self, result_id: str, options: RenderOptions, *, request_id: str
    ) -> AsyncGenerator[Event]:
        """Render a result again; yield its artefacts and, last, the :class:`Result`.

        Raises
        ------
        ServiceError
            ``RESULT_EXPIRED`` if the service no longer has it.
        """
        request = transcription_pb2.RenderRequest(
            result_id=result_id, render=encode_render_options(options)
        )
        return self._write(self._transcription.Render, request, request_id)

    def continue_music(
        self, result_id: str, options: ContinueOptions, *, request_id: str
    ) -> AsyncGenerator[Event]:
        """Continue a result; yield artefacts and, last, the :class:`Result`.

        Raises
        ------
        ServiceError
            ``RESULT_EXPIRED`` if the service no longer has it, ``NOTHING_TO_CONTINUE`` if it holds
            too little music.
        """
        request = encode_continue_request(result_id, options)
        return self._write(self._transcription.Continue, request, request_id)

    async def list_models(self, *, request_id: str) -> list[Model]:
        """Return every model of the service's manifest.

        Raises
        ------
        ServiceError
        """
        response = await self._ask(
            self._models.List, models_pb2.ListRequest(), request_id, LOOK_DEADLINE_S
        )
        return [decode_model(model) for model in response.models]

    async def activate(self, task: str, model: str, *, request_id: str) -> tuple[Model, str]:
        """Make ``model`` serve ``task``; return it and the previous model's name.

        Raises
        ------
        ServiceError
            The previous model stays in use.
        """
        response = await self._ask(
            self._models.Activate,
            models_pb2.ActivateRequest(task=task, model=model),
            request_id,
            ACTIVATE_DEADLINE_S,
            repeatable=False,
        )
        return decode_model(response.model), response.previous

    async def status(self, *, request_id: str) -> ServiceStatus:
        """Return the service's state.

        Raises
        ------
        ServiceError
        """
        response = await self._ask(
            self._models.Status, models_pb2.StatusRequest(), request_id, LOOK_DEADLINE_S
        )
        return decode_status(response)

    def _write(
        self, method: Callable[..., Any], request: object, request_id: str
    ) -> AsyncGenerator[Event]:
        """Call a method that writes files of a cached result; yield its events."""

        def start(attempt: _Attempt) -> AsyncGenerator[Event]:
            attempt.sent = True
            call = method(
                request, timeout=RENDER_DEADLINE_S, metadata=_metadata(request_id, self._token)
            )
            return _read(call, attempt)

        return _try_twice(start, repeatable=True)

    async def _ask(
        self,
        method: Callable[..., Any],
        request: object,
        request_id: str,
        deadline_s: float,
        *,
        repeatable: bool = True,
    ) -> Any:
        """Call a unary method of ``Models``; return its response."""

        async def start(attempt: _Attempt) -> AsyncGenerator[Any]:
            attempt.sent = True
            yield await method(
                request, timeout=deadline_s, metadata=_metadata(request_id, self._admin_token)
            )

        async with aclosing(_try_twice(start, repeatable=repeatable)) as responses:
            return await anext(responses)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def collect(
    events: AsyncGenerator[Event], watch: Callable[[Queued | Progress], None], place: Place
) -> tuple[Result, list[Artifact]]:
    """Read a call to its end; return the result and its files in order of arrival.

    Parameters
    ----------
    events : AsyncGenerator of Event
        From a method of :class:`ServiceClient`. They are always closed, which cancels a call that
        still runs.
    watch : callable
        Called with each change of position or progress.
    place : Place
        Taken once the first file has arrived. Until it is free, the service is not read from, and
        so sends no more than fits its window.

    Raises
    ------
    ServiceError
    """
    artifacts: list[Artifact] = []
    result: Result | None = None
    async with aclosing(events):
        async for event in events:
            match event:
                case Queued() | Progress():
                    watch(event)
                case Artifact():
                    await place.take()
                    artifacts.append(event)
                case Result():
                    result = event
    if result is None:
        raise ServiceError(BotErrorCode.SERVICE_LOST)
    return result, artifacts


async def _try_twice(
    start: Callable[[_Attempt], AsyncGenerator[T]], *, repeatable: bool
) -> AsyncGenerator[T]:
    """Yield the answers of a call, and start it a second time if it failed and that is safe.

    Raises
    ------
    ServiceError
    """
    for is_last in (False, True):
        attempt = _Attempt(repeatable)
        try:
            async with aclosing(start(attempt)) as answers:
                async for answer in answers:
                    yield answer
            return
        except grpc.aio.AioRpcError as error:
            failure = decode_error(error, may_have_begun=attempt.may_have_begun)
            pause_s = _retry_pause_s(error, failure, attempt)
            if is_last or pause_s is None:
                try:
                    raise failure from None
                finally:
                    del failure  # its traceback refers to this frame
        await asyncio.sleep(pause_s)


def _retry_pause_s(
    error: grpc.aio.AioRpcError, failure: ServiceError, attempt: _Attempt
) -> float | None:
    """How long to wait before a retry; None if the call must not be retried."""
    refused = failure.code in _REFUSALS and not attempt.answered
    if error.code() is not grpc.StatusCode.UNAVAILABLE or not (
        refused or not attempt.may_have_begun
    ):
        return None
    pause_s = RETRY_PAUSE_S if failure.retry_after_s is None else failure.retry_after_s
    return pause_s if pause_s <= MAX_RETRY_PAUSE_S else None


async def _read(call: Any, attempt: _Attempt) -> AsyncGenerator[Event]:
    """Yield the events of a running call; cancel it if they are not read to the end."""
    decoder = EventDecoder()
    try:
        await call.initial_metadata()
        attempt.admitted.set()
        async for message in call:
            attempt.answered = True
            event = decoder.decode(message)
            if event is not None:
                yield event
    finally:
        call.cancel()


async def _converse(
    call: Any,
    attempt: _Attempt,
    first: transcription_pb2.TranscribeRequest,
    read: Callable[[], AsyncGenerator[bytes]],
) -> AsyncGenerator[Event]:
    """Send a recording and yield the events that come back.

    Audio is sent only once the service has admitted the request: if the service refuses while a
    message is being sent, grpc.aio loses the refusal and reports INTERNAL without details.
    """

    async def upload() -> None:
        await call.write(first)
        await attempt.admitted.wait()
        async with aclosing(read()) as pieces:
            async for piece in pieces:
                attempt.sent = True
                await call.write(transcription_pb2.TranscribeRequest(audio_chunk=piece))
        await call.done_writing()

    uploading = asyncio.create_task(upload())
    uploading.add_done_callback(lambda done: call.cancel() if _failed(done) else None)
    try:
        async with aclosing(_read(call, attempt)) as events:
            async for event in events:
                yield event
    except asyncio.CancelledError:
        if _failed(uploading):  # the callback above has cancelled the call, nobody has this task
            uploading.result()
        raise
    finally:
        uploading.cancel()
        await asyncio.wait([uploading])
        _failed(uploading)  # marks its exception as retrieved
        del uploading  # its exception refers to this frame


def _failed(uploading: asyncio.Task[None]) -> bool:
    """Whether reading the recording failed; a failure to write it shows in the call's status."""
    if not uploading.done() or uploading.cancelled():
        return False
    failure = uploading.exception()
    is_status = isinstance(failure, grpc.RpcError | asyncio.InvalidStateError)
    return failure is not None and not is_status


def _metadata(request_id: str, token: str) -> Metadata:
    metadata: Metadata = (("x-request-id", request_id),)
    return (*metadata, ("authorization", f"Bearer {token}")) if token else metadata
