"""The stand-in's error answers, in the Bot API's form.

``{"ok": false, "error_code": 400, "description": "Bad Request: ...", "parameters": {...}}``, with
the HTTP status equal to ``error_code``: https://core.telegram.org/bots/api#making-requests.
"""

from __future__ import annotations

from typing import Any


class BotApiError(Exception):
    """A request that Telegram would refuse.

    Parameters
    ----------
    error_code : int
        The HTTP status and the answer's ``error_code``.
    description : str
        Telegram's own words, such as ``"Bad Request: chat not found"``.
    retry_after_s : int, optional
        With code 429: how long the bot has to wait.
    """

    def __init__(
        self, error_code: int, description: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(description)
        self.error_code = error_code
        self.description = description
        self.retry_after_s = retry_after_s

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {
            "ok": False,
            "error_code": self.error_code,
            "description": self.description,
        }
        if self.retry_after_s is not None:
            body["parameters"] = {"retry_after": self.retry_after_s}
        return body


def bad_request(reason: str) -> BotApiError:
    """Build an error with code 400 and ``Bad Request: reason``."""
    return BotApiError(400, f"Bad Request: {reason}")


def too_many_requests(retry_after_s: int) -> BotApiError:
    """Build flood control's error, code 429."""
    return BotApiError(
        429, f"Too Many Requests: retry after {retry_after_s}", retry_after_s=retry_after_s
    )
