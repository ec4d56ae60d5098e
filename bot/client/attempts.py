"""One call to the service: its answers, its upload, and a second try where that is safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import grpc
from notabot.v1 import transcription_pb2

from bot.client.conversion import EventDecoder, decode_error
from bot.client.types import Accepted, Event
from bot.errors import ServiceError, ServiceErrorCode

RETRY_PAUSE_S: Final = 1.2  # longer than max_reconnect_backoff_ms of the channel
MAX_RETRY_PAUSE_S: Final = 10.0

_REFUSALS: Final = frozenset({ServiceErrorCode.NOT_READY, ServiceErrorCode.SHUTTING_DOWN})
"""Codes of a service that is reachable but did not accept the request."""

T = TypeVar("T")
Metadata = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Attempt:
    """The state of one attempt at a call.

    Parameters
    ----------
    repeatable : bool
        Whether the call may be repeated although it has reached the service.
    is_job : bool
        Whether it is admitted by :class:`Accepted` rather than by its initial metadata.
    """

    repeatable: bool
    is_job: bool = False
    sent: bool = False
    answered: bool = False
    admitted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def may_have_begun(self) -> bool:
        """Whether the service may have begun the work."""
        return self.answered or (self.sent and not self.repeatable)


async def try_twice(
    start: Callable[[Attempt], AsyncGenerator[T]], *, repeatable: bool
) -> AsyncGenerator[T]:
    """Yield the answers of a call, and start it a second time if it failed and that is safe.

    Raises
    ------
    ServiceError
    """
    for is_last in (False, True):
        attempt = Attempt(repeatable)
        try:
            async with aclosing(start(attempt)) as answers:
                async for answer in answers:
                    yield answer
            return
        except grpc.aio.AioRpcError as error:
            failure = decode_error(error, may_have_begun=attempt.may_have_begun)
            pause_s = retry_pause_s(error, failure, attempt)
            if is_last or pause_s is None:
                try:
                    raise failure from None
                finally:
                    del failure  # its traceback refers to this frame
        await asyncio.sleep(pause_s)


def retry_pause_s(
    error: grpc.aio.AioRpcError, failure: ServiceError, attempt: Attempt
) -> float | None:
    """How long to wait before a retry; None if the call must not be retried."""
    refused = failure.code in _REFUSALS and not attempt.answered
    if error.code() is not grpc.StatusCode.UNAVAILABLE or not (
        refused or not attempt.may_have_begun
    ):
        return None
    pause_s = RETRY_PAUSE_S if failure.retry_after_s is None else failure.retry_after_s
    return pause_s if pause_s <= MAX_RETRY_PAUSE_S else None


async def read(call: Any, attempt: Attempt) -> AsyncGenerator[Event]:
    """Yield the events of a running call; cancel it if they are not read to the end."""
    decoder = EventDecoder()
    try:
        await call.initial_metadata()
        if not attempt.is_job:
            attempt.admitted.set()
        async for message in call:
            attempt.answered = True
            event = decoder.decode(message)
            if isinstance(event, Accepted):
                attempt.admitted.set()
            if event is not None:
                yield event
    finally:
        call.cancel()


async def converse(
    call: Any,
    attempt: Attempt,
    first: transcription_pb2.TranscribeRequest,
    recording: Callable[[], AsyncGenerator[bytes]],
) -> AsyncGenerator[Event]:
    """Send a recording and yield the events that come back.

    Audio is sent only once the service has admitted the request: if the service refuses while a
    message is being sent, grpc.aio loses the refusal and reports INTERNAL without details.
    """

    async def upload() -> None:
        await call.write(first)
        await attempt.admitted.wait()
        async with aclosing(recording()) as pieces:
            async for piece in pieces:
                attempt.sent = True
                await call.write(transcription_pb2.TranscribeRequest(audio_chunk=piece))
        if attempt.is_job:
            complete = transcription_pb2.UploadComplete()
            await call.write(transcription_pb2.TranscribeRequest(complete=complete))
        await call.done_writing()

    uploading = asyncio.create_task(upload())
    uploading.add_done_callback(lambda done: call.cancel() if _failed(done) else None)
    try:
        async with aclosing(read(call, attempt)) as events:
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


async def ask(
    method: Callable[..., Any],
    request: object,
    *,
    metadata: Metadata,
    deadline_s: float,
    repeatable: bool = True,
) -> Any:
    """Call a unary method; return its response.

    Raises
    ------
    ServiceError
    """

    async def start(attempt: Attempt) -> AsyncGenerator[Any]:
        attempt.sent = True
        yield await method(request, timeout=deadline_s, metadata=metadata)

    async with aclosing(try_twice(start, repeatable=repeatable)) as responses:
        return await anext(responses)


def build_metadata(request_id: str, token: str) -> Metadata:
    """Return a call's metadata: the request id, and the token if there is one."""
    metadata: Metadata = (("x-request-id", request_id),)
    return (*metadata, ("authorization", f"Bearer {token}")) if token else metadata
