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

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
from notabot.v1 import models_pb2, models_pb2_grpc, transcription_pb2, transcription_pb2_grpc

from bot.client.attempts import (
    Attempt,
    Metadata,
    ask,
    build_metadata,
    converse,
    read,
    try_twice,
)
from bot.client.conversion import (
    decode_model,
    decode_result,
    decode_status,
    encode_continue_request,
    encode_describe_request,
    encode_render_options,
    encode_transcribe_options,
)
from bot.client.jobs import JobsClient
from bot.client.practice import PracticeClient
from bot.client.types import (
    Accepted,
    Artifact,
    ContinueOptions,
    Event,
    JobContext,
    Model,
    Preset,
    Progress,
    Queued,
    RenderOptions,
    Result,
    ServiceStatus,
)
from bot.errors import BotErrorCode, ServiceError
from bot.room import Place

CHUNK_BYTES: Final = 64 * 1024
KEEPALIVE_INTERVAL_S: Final = 1.5
KEEPALIVE_TIMEOUT_S: Final = 3.0
RENDER_DEADLINE_S: Final = 120.0
LOOK_DEADLINE_S: Final = 10.0
ACTIVATE_DEADLINE_S: Final = 600.0
MAX_FORGOTTEN: Final = 100
"""Results in a request, by the protocol."""
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024  # gRPC's default of 4 MiB is tight for a long song

_CHANNEL_OPTIONS: Final = (
    # Over all addresses of the service's name, where it has replicas.
    ("grpc.lb_policy_name", "round_robin"),
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
    tls_pair_paths : tuple of Path or None
        The bot's own certificate chain and its key, if the service demands them.
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
        tls_pair_paths: tuple[Path, Path] | None = None,
        deadline_s: float = 1800.0,
    ) -> None:
        if tls_ca_path is None:
            self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(
                tls_ca_path.read_bytes(), *_read_pair(tls_pair_paths)
            )
            self._channel = grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)
        self._transcription = transcription_pb2_grpc.TranscriptionStub(self._channel)  # type: ignore[no-untyped-call]
        self._models = models_pb2_grpc.ModelsStub(self._channel)  # type: ignore[no-untyped-call]
        self.jobs = JobsClient(self._channel, token, deadline_s)
        self.practice = PracticeClient(self._channel, token)
        self._token = token
        self._admin_token = admin_token
        self._deadline_s = deadline_s

    def transcribe(
        self,
        recording: Callable[[], AsyncGenerator[bytes]],
        *,
        preset: Preset = Preset.AUTO,
        options: RenderOptions | None = None,
        job: JobContext | None = None,
        request_id: str,
    ) -> AsyncGenerator[Event]:
        """Send a recording; yield events until the :class:`Result`, the last one.

        Closing the generator, or cancelling the task that runs it, cancels the call. This stops the
        service's work, unless it is a job.

        Parameters
        ----------
        recording : callable
            Returns the recording in pieces of at most :data:`CHUNK_BYTES`. It is called once the
            service has admitted the request, and each piece is sent before the next is read.
        preset : Preset
        options : RenderOptions or None
        job : JobContext or None
            With it, the first event is :class:`Accepted`, and the call stays open after the result.
        request_id : str

        Raises
        ------
        ServiceError
            An exception of ``recording`` is raised as it is.
        """
        first = transcription_pb2.TranscribeRequest(
            options=encode_transcribe_options(preset, options or RenderOptions(), job)
        )

        def start(attempt: Attempt) -> AsyncGenerator[Event]:
            attempt.is_job = job is not None
            call = self._transcription.Transcribe(
                timeout=self._deadline_s, metadata=build_metadata(request_id, self._token)
            )
            return converse(call, attempt, first, recording)

        return try_twice(start, repeatable=False)

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

    async def describe(self, result_id: str, options: RenderOptions, *, request_id: str) -> Result:
        """Return the :class:`Result` that :meth:`render` would yield, without files.

        Raises
        ------
        ServiceError
            ``RESULT_EXPIRED`` if the service no longer has it.
        """
        response = await ask(
            self._transcription.Describe,
            encode_describe_request(result_id, options),
            metadata=build_metadata(request_id, self._token),
            deadline_s=LOOK_DEADLINE_S,
        )
        return decode_result(response)

    async def forget(self, result_ids: Sequence[str], *, request_id: str) -> None:
        """Let the service delete results and what belongs to them.

        Raises
        ------
        ServiceError
        """
        for start in range(0, len(result_ids), MAX_FORGOTTEN):
            chosen = result_ids[start : start + MAX_FORGOTTEN]
            await ask(
                self._transcription.Forget,
                transcription_pb2.ForgetRequest(result_ids=chosen),
                metadata=build_metadata(request_id, self._token),
                deadline_s=LOOK_DEADLINE_S,
            )

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
        response = await ask(
            self._models.List,
            models_pb2.ListRequest(),
            metadata=self._admin(request_id),
            deadline_s=LOOK_DEADLINE_S,
        )
        return [decode_model(model) for model in response.models]

    async def activate(self, task: str, model: str, *, request_id: str) -> tuple[Model, str]:
        """Make ``model`` serve ``task``; return it and the previous model's name.

        Raises
        ------
        ServiceError
            The previous model stays in use.
        """
        response = await ask(
            self._models.Activate,
            models_pb2.ActivateRequest(task=task, model=model),
            metadata=self._admin(request_id),
            deadline_s=ACTIVATE_DEADLINE_S,
            repeatable=False,
        )
        return decode_model(response.model), response.previous

    async def status(self, *, request_id: str) -> ServiceStatus:
        """Return the service's state.

        Raises
        ------
        ServiceError
        """
        response = await ask(
            self._models.Status,
            models_pb2.StatusRequest(),
            metadata=self._admin(request_id),
            deadline_s=LOOK_DEADLINE_S,
        )
        return decode_status(response)

    def _write(
        self, method: Callable[..., Any], request: object, request_id: str
    ) -> AsyncGenerator[Event]:
        """Call a method that writes files of a cached result; yield its events."""

        def start(attempt: Attempt) -> AsyncGenerator[Event]:
            attempt.sent = True
            call = method(
                request, timeout=RENDER_DEADLINE_S, metadata=build_metadata(request_id, self._token)
            )
            return read(call, attempt)

        return try_twice(start, repeatable=True)

    def _admin(self, request_id: str) -> Metadata:
        return build_metadata(request_id, self._admin_token)

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


def _read_pair(paths: tuple[Path, Path] | None) -> tuple[bytes, bytes] | tuple[()]:
    """Return a key and its certificate chain, in gRPC's order."""
    if paths is None:
        return ()
    certificate, key = paths
    return key.read_bytes(), certificate.read_bytes()


async def collect(
    events: AsyncGenerator[Event], watch: Callable[[Queued | Progress], None], place: Place
) -> tuple[Result, list[Artifact]]:
    """Read a call like :func:`read_result`, and close it, which cancels a call that still runs."""
    async with aclosing(events):
        return await read_result(events, watch, place)


async def read_result(
    events: AsyncGenerator[Event], watch: Callable[[Queued | Progress], None], place: Place
) -> tuple[Result, list[Artifact]]:
    """Read a call to its result; return that and its files in order of arrival.

    Parameters
    ----------
    events : AsyncGenerator of Event
        From a method of :class:`ServiceClient`.
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
    async for event in events:
        match event:
            case Queued() | Progress():
                watch(event)
            case Artifact():
                await place.take()
                artifacts.append(event)
            case Accepted():
                artifacts.clear()  # the job began again
            case Result():
                return event, artifacts
    raise ServiceError(BotErrorCode.SERVICE_LOST)
