"""A client of the service for the command line: it blocks, and never retries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
from google.rpc.status_pb2 import Status
from notabot.v1 import models_pb2, models_pb2_grpc, transcription_pb2, transcription_pb2_grpc

from inference_service.errors import Internal, NotabotError, NotReady
from inference_service.pipeline.options import ContinueOptions, TranscribeOptions
from inference_service.progress import Stage
from inference_service.server.app import MAX_MESSAGE_BYTES
from inference_service.server.convert.errors import DETAILS_KEY, decode_error
from inference_service.server.convert.events import CHUNK_BYTES, decode_progress
from inference_service.server.convert.models import model_state
from inference_service.server.convert.options import (
    encode_continue_request,
    encode_transcribe_options,
)

_KEEPALIVE: Final = (
    ("grpc.keepalive_time_ms", 3_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """The id under which the service keeps the result, and files as pairs of name and bytes."""

    result_id: str
    files: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A row of the service's list of models."""

    task: str
    name: str
    version: str
    licence: str
    state: str
    size_bytes: int


class Client:
    """A connection to the service; a context manager.

    Parameters
    ----------
    address : str
        ``host:port``.
    token : str, optional
        Bearer token.
    tls_ca : Path, optional
        PEM file of the authority that signed the service's certificate; with it, TLS is used.
    tls_pair : tuple of Path, optional
        PEM files of the caller's own certificate chain and its key, if the service demands them.
    """

    def __init__(
        self,
        address: str,
        token: str | None = None,
        tls_ca: Path | None = None,
        tls_pair: tuple[Path, Path] | None = None,
    ) -> None:
        self._address = address
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        if tls_ca is None:
            self._channel = grpc.insecure_channel(address, _KEEPALIVE)
        else:
            certificate, key = (None, None) if tls_pair is None else tls_pair
            credentials = grpc.ssl_channel_credentials(
                tls_ca.read_bytes(),
                None if key is None else key.read_bytes(),
                None if certificate is None else certificate.read_bytes(),
            )
            self._channel = grpc.secure_channel(address, credentials, _KEEPALIVE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._channel.close()

    def transcribe(
        self, data: bytes, options: TranscribeOptions, report: Callable[[Stage, float], None]
    ) -> Reply:
        """Send a recording and wait for its files.

        Parameters
        ----------
        data : bytes
        options : TranscribeOptions
        report : callable
            Called with the stage and the fraction of the whole request.

        Raises
        ------
        NotabotError
            The service's error; ``NotReady`` if no service answers.
        """
        messages = _messages(data, options)
        return self._receive(
            lambda stub: stub.Transcribe(messages, metadata=self._metadata), report
        )

    def continue_music(
        self, result_id: str, options: ContinueOptions, report: Callable[[Stage, float], None]
    ) -> Reply:
        """Wait for a continuation of a result that the service keeps.

        Parameters
        ----------
        result_id : str
            From an earlier reply.
        options : ContinueOptions
        report : callable
            As in :meth:`transcribe`.

        Raises
        ------
        NotabotError
            As in :meth:`transcribe`.
        """
        request = encode_continue_request(result_id, options)
        return self._receive(lambda stub: stub.Continue(request, metadata=self._metadata), report)

    def _receive(
        self, call: Callable[[Any], Iterable[Any]], report: Callable[[Stage, float], None]
    ) -> Reply:
        """Read the events of a call to its end."""
        stub = transcription_pb2_grpc.TranscriptionStub(self._channel)  # type: ignore[no-untyped-call]
        received: dict[str, bytearray] = {}
        result_id = ""
        with self._translated_errors():
            for event in call(stub):
                kind = event.WhichOneof("event")
                if kind == "progress" and (update := decode_progress(event.progress)):
                    report(update.stage, update.overall_fraction)
                elif kind == "artifact":
                    received.setdefault(event.artifact.name, bytearray()).extend(
                        event.artifact.data
                    )
                elif kind == "result":
                    result_id = event.result.result_id
        return Reply(result_id, [(name, bytes(data)) for name, data in received.items()])

    def list_models(self) -> list[ListedModel]:
        """Return the service's models.

        Raises
        ------
        NotabotError
            As in :meth:`transcribe`.
        """
        stub = models_pb2_grpc.ModelsStub(self._channel)  # type: ignore[no-untyped-call]
        with self._translated_errors():
            response = stub.List(models_pb2.ListRequest(), metadata=self._metadata)
        return [
            ListedModel(m.task, m.name, m.version, m.licence, model_state(m), m.size_bytes)
            for m in response.models
        ]

    def activate(self, task: str, model: str) -> str:
        """Change a task's model; returns ``name@version`` of the previous one.

        Raises
        ------
        NotabotError
            As in :meth:`transcribe`.
        """
        stub = models_pb2_grpc.ModelsStub(self._channel)  # type: ignore[no-untyped-call]
        request = models_pb2.ActivateRequest(task=task, model=model)
        with self._translated_errors():
            response = stub.Activate(request, metadata=self._metadata)
        return str(response.previous)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Turn gRPC's errors into the service's own."""
        try:
            yield
        except grpc.RpcError as error:
            raise _translate(error, self._address) from None


def _translate(error: Any, address: str) -> NotabotError:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and (known := decode_error(Status.FromString(value))):
            return known
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return NotReady(f"no service answers at {address}")
    return Internal(f"the service answers {error.code().name}: {error.details()}")


def _messages(
    data: bytes, options: TranscribeOptions
) -> Iterator[transcription_pb2.TranscribeRequest]:
    yield transcription_pb2.TranscribeRequest(options=encode_transcribe_options(options))
    for start in range(0, len(data), CHUNK_BYTES):
        chunk = data[start : start + CHUNK_BYTES]
        yield transcription_pb2.TranscribeRequest(audio_chunk=chunk)
