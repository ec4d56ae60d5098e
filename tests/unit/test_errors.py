"""Codes, statuses and exit codes, which clients and scripts rely on."""

from __future__ import annotations

from notabot.v1 import errors_pb2

from inference_service import errors
from inference_service.cli.exits import EXIT_CODES
from inference_service.errors import ERRORS, ErrorKind, NotabotError
from inference_service.server.convert.errors import STATUS_CODES

PUBLISHED = {
    "AUDIO_EMPTY": ("INVALID_ARGUMENT", 65),
    "AUDIO_UNREADABLE": ("INVALID_ARGUMENT", 65),
    "AUDIO_NO_TRACK": ("INVALID_ARGUMENT", 65),
    "AUDIO_TOO_LARGE": ("INVALID_ARGUMENT", 65),
    "AUDIO_TOO_LONG": ("INVALID_ARGUMENT", 65),
    "AUDIO_TOO_SHORT": ("INVALID_ARGUMENT", 65),
    "AUDIO_SILENT": ("INVALID_ARGUMENT", 65),
    "AUDIO_SAMPLE_RATE": ("INVALID_ARGUMENT", 65),
    "SCORE_UNREADABLE": ("INVALID_ARGUMENT", 65),
    "INVALID_OPTIONS": ("INVALID_ARGUMENT", 64),
    "INVALID_CORRECTIONS": ("INVALID_ARGUMENT", 64),
    "RESULT_EXPIRED": ("NOT_FOUND", 66),
    "QUEUE_FULL": ("RESOURCE_EXHAUSTED", 75),
    "NOT_READY": ("UNAVAILABLE", 75),
    "SHUTTING_DOWN": ("UNAVAILABLE", 75),
    "CANCELLED": ("CANCELLED", 130),
    "DEADLINE_EXCEEDED": ("DEADLINE_EXCEEDED", 75),
    "UNAUTHENTICATED": ("UNAUTHENTICATED", 77),
    "MODEL_UNKNOWN": ("NOT_FOUND", 64),
    "MODEL_NOT_FETCHED": ("FAILED_PRECONDITION", 69),
    "MODEL_FETCH_FAILED": ("UNAVAILABLE", 69),
    "MODEL_REJECTED": ("FAILED_PRECONDITION", 69),
    "PREVIEW_UNAVAILABLE": ("FAILED_PRECONDITION", 69),
    "STEMS_UNAVAILABLE": ("NOT_FOUND", 66),
    "NOTHING_TO_CONTINUE": ("FAILED_PRECONDITION", 65),
    "INTERNAL": ("INTERNAL", 70),
}
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
