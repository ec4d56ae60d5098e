"""Errors to ``google.rpc.Status`` and back."""

from __future__ import annotations

import pytest

from inference_service import errors
from inference_service.errors import NotabotError
from inference_service.server.convert.errors import decode_error, encode_error


@pytest.mark.parametrize(
    "error",
    [
        errors.AudioTooLong("too long", limit_s=900.0),
        errors.AudioTooLarge("too large", limit_bytes=10, size_bytes=11),
        errors.QueueFull("full", retry_after_s=12.5),
        errors.ModelUnknown("unknown", task="song", model="x"),
        errors.Internal("broken"),
    ],
)
def test_errors_survive_the_way_back(error: NotabotError) -> None:
    again = decode_error(encode_error(error))
    assert type(again) is type(error)
    assert again is not None
    assert (again.cause, again.params) == (error.cause, error.params)


def test_foreign_details_are_no_error_of_ours() -> None:
    status = encode_error(errors.AudioSilent("silent"))
    del status.details[:]
    assert decode_error(status) is None
