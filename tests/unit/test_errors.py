"""Codes, statuses and exit codes, which clients and scripts rely on."""

from __future__ import annotations

from notabot.v1 import errors_pb2

from inference_service import errors
from inference_service.cli.exits import EXIT_CODES
from inference_service.errors import ERRORS, ErrorKind, NotabotError
from inference_service.server.convert.errors import STATUS_CODES

PUBLISHED: dict[str, tuple[str, int]] = {}
"""What clients already know. A new error need not be added, but none of these may change."""


def test_published_codes_keep_their_status_and_exit_code() -> None:
    now = {
        code: (STATUS_CODES[error.kind].name, EXIT_CODES[error.kind])
        for code, error in ERRORS.items()
    }
    assert now.items() >= PUBLISHED.items()


def test_the_protocol_has_the_same_codes() -> None:
    assert set(errors_pb2.ErrorCode.keys()) == {"ERROR_CODE_UNSPECIFIED", *ERRORS}


def test_every_kind_has_a_status_and_an_exit_code() -> None:
    assert set(STATUS_CODES) == set(EXIT_CODES) == set(ErrorKind)


def test_every_error_says_its_cause() -> None:
    assert [code for code, error in ERRORS.items() if not error.__doc__] == []


def test_groups_are_no_errors() -> None:
    groups = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, NotabotError) and value.__subclasses__()
    }
    assert groups == {"NotabotError", "AudioError", "ModelError"}
    assert not any(hasattr(getattr(errors, name), "code") for name in groups)
