"""Errors that the bot reports to people.

The service's codes are the names of ``ErrorCode`` in ``notabot/v1/errors.proto``;
:class:`BotErrorCode` adds those of the bot. Each code has a text in every language, under the
message id ``error.CODE``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ServiceErrorCode(StrEnum):
    """Codes of the service that the bot handles or reports itself.

    Every other code needs only its texts.
    """

    AUDIO_EMPTY = "AUDIO_EMPTY"
    AUDIO_TOO_LARGE = "AUDIO_TOO_LARGE"
    AUDIO_TOO_LONG = "AUDIO_TOO_LONG"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL = "INTERNAL"
    JOB_TAKEN = "JOB_TAKEN"
    JOB_UNKNOWN = "JOB_UNKNOWN"
    NOT_READY = "NOT_READY"
    QUEUE_FULL = "QUEUE_FULL"
    PREVIEW_UNAVAILABLE = "PREVIEW_UNAVAILABLE"
    RESULT_EXPIRED = "RESULT_EXPIRED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    UNAUTHENTICATED = "UNAUTHENTICATED"


class BotErrorCode(StrEnum):
    """Codes of errors that only the bot can notice."""

    SERVICE_UNREACHABLE = "SERVICE_UNREACHABLE"
    """No connection to the service, tried twice, or none to the server that several bots share; the
    request never began."""
    SERVICE_LOST = "SERVICE_LOST"
    """The connection broke after the request may have begun, so it is not tried again."""
    DOWNLOAD_FAILED = "DOWNLOAD_FAILED"
    """Telegram did not hand over the file."""
    DELIVERY_FAILED = "DELIVERY_FAILED"
    """Telegram did not take the score within ``BOT_TELEGRAM_PATIENCE_S``."""
    TOO_MANY_JOBS = "TOO_MANY_JOBS"
    """``BOT_PER_USER_JOBS`` buttons are worked on, or ``BOT_PER_USER_WAITING`` recordings wait."""
    BOT_STOPPING = "BOT_STOPPING"
    """The bot was stopped, and the request did not finish within ``BOT_DRAIN_S``."""
    LINK_INVALID = "LINK_INVALID"
    """The link to the practice page is forged, expired or revoked, or Telegram's word is."""
    LINK_NOT_YOURS = "LINK_NOT_YOURS"
    """The link to the practice page was opened by another Telegram account."""
    EDIT_CONFLICT = "EDIT_CONFLICT"
    """An edit of the practice page refers to a version that is not the newest."""
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    """A request of the practice page is longer than ``MAX_BODY_BYTES``."""
    INVALID_REQUEST = "INVALID_REQUEST"
    """A request of the practice page is not as agreed."""
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    """One link or one network address asks too often."""
    PAGE_BUSY = "PAGE_BUSY"
    """The practice page has too many requests from everyone."""
    NOT_FOUND = "NOT_FOUND"
    """Nothing is served at this address."""


class BotError(Exception):
    """An error that is explained to the person.

    Parameters
    ----------
    code : str
        A name of the service's ``ErrorCode`` or of :class:`BotErrorCode`.
    params : Mapping[str, str | int | float]
        Numbers for the text: ``limit_s``, ``limit_bytes``, ``size_bytes`` and so on.
    retry_after_s : float or None
        When to try again, if known.
    """

    def __init__(
        self,
        code: str,
        params: Mapping[str, str | int | float] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(str(code))
        self.code = str(code)
        self.params = dict(params or {})
        self.retry_after_s = retry_after_s


class ServiceError(BotError):
    """A call to the service failed."""


class SourceError(BotError):
    """A message's audio cannot be used: too large, too long, or not available."""
