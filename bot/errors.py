"""Everything that can go wrong, seen from the bot.

The service's codes are the names of ``ErrorCode`` in ``notabot/v1/errors.proto``;
:class:`BotErrorCode` adds what only the bot can notice. Each has a text in every language, under
the message id ``error.CODE``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class BotErrorCode(StrEnum):
    """Stable names of what the service cannot report itself."""

    SERVICE_UNREACHABLE = "SERVICE_UNREACHABLE"
    """No connection to the service, tried twice; the request never began."""
    SERVICE_LOST = "SERVICE_LOST"
    """The connection broke after the request may have begun, so it is not tried again."""
    DOWNLOAD_FAILED = "DOWNLOAD_FAILED"
    """Telegram did not hand over the file."""
    TOO_MANY_JOBS = "TOO_MANY_JOBS"
    """The person already has ``BOT_PER_USER_JOBS`` requests running."""
    BOT_STOPPING = "BOT_STOPPING"
    """The bot was told to stop, and the request did not finish within ``BOT_DRAIN_S``."""


AUDIO_TOO_LARGE: Final = "AUDIO_TOO_LARGE"
AUDIO_TOO_LONG: Final = "AUDIO_TOO_LONG"
CANCELLED: Final = "CANCELLED"
DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
INTERNAL: Final = "INTERNAL"
QUEUE_FULL: Final = "QUEUE_FULL"
RESULT_EXPIRED: Final = "RESULT_EXPIRED"
PREVIEW_UNAVAILABLE: Final = "PREVIEW_UNAVAILABLE"
UNAUTHENTICATED: Final = "UNAUTHENTICATED"


class BotError(Exception):
    """Something that the person is told in words.

    Parameters
    ----------
    code : str
        A name of the service's ``ErrorCode`` or of :class:`BotErrorCode`.
    params : Mapping[str, str | int | float]
        Numbers for the text: ``limit_s``, ``limit_bytes``, ``size_bytes`` and so on.
    retry_after_s : float or None
        When it makes sense to try again, where known.
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
    """A message's audio cannot be taken: too large, too long, or not to be had."""
