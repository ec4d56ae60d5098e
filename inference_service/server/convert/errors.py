"""Errors to ``google.rpc.Status`` and back, as ``errors.proto`` describes."""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from inference_service.errors import ERRORS, ErrorKind, NotabotError

ERROR_DOMAIN: Final = "notabot"
DETAILS_KEY: Final = "grpc-status-details-bin"

STATUS_CODES: Final = {
    ErrorKind.INVALID_INPUT: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorKind.INVALID_OPTIONS: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorKind.UNSUITABLE_MUSIC: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorKind.NOT_KEPT: grpc.StatusCode.NOT_FOUND,
    ErrorKind.ALREADY_ACCEPTED: grpc.StatusCode.ALREADY_EXISTS,
    ErrorKind.UNKNOWN_NAME: grpc.StatusCode.NOT_FOUND,
    ErrorKind.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorKind.NOT_SERVING: grpc.StatusCode.UNAVAILABLE,
    ErrorKind.CANCELLED: grpc.StatusCode.CANCELLED,
    ErrorKind.OUT_OF_TIME: grpc.StatusCode.DEADLINE_EXCEEDED,
    ErrorKind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    ErrorKind.NOT_EQUIPPED: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorKind.DOWNLOAD_FAILED: grpc.StatusCode.UNAVAILABLE,
    ErrorKind.INTERNAL: grpc.StatusCode.INTERNAL,
}
"""gRPC status by kind of error."""


def encode_error(error: NotabotError) -> Status:
    """Return the status message that a failed call carries."""
    info = AnyMessage()
    info.Pack(
        ErrorInfo(
            reason=error.code,
            domain=ERROR_DOMAIN,
            metadata={name: str(value) for name, value in error.params.items()},
        )
    )
    details = [info]
    retry_after_s = error.params.get("retry_after_s")
    if isinstance(retry_after_s, int | float):
        delay = Duration()
        delay.FromMilliseconds(round(retry_after_s * 1000))
        retry = AnyMessage()
        retry.Pack(RetryInfo(retry_delay=delay))
        details.append(retry)
    number: int = STATUS_CODES[error.kind].value[0]
    return Status(code=number, message=error.cause, details=details)


def decode_error(status: Status) -> NotabotError | None:
    """Return the error that :func:`encode_error` wrote; None if the status holds none."""
    for detail in status.details:
        info = ErrorInfo()
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN and info.reason in ERRORS:
            params = {name: _number(value) for name, value in info.metadata.items()}
            return ERRORS[info.reason](status.message, **params)
    return None


def _number(text: str) -> str | int | float:
    """Return a parameter as the number that it spells, if it does."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
