"""Flood control: how often a bot may send or edit messages in a chat.

Telegram asks bots for about one message a second in a chat, lets short bursts pass, and answers
429 with ``retry_after`` beyond them (https://core.telegram.org/bots/faq#broadcasting-to-users).
The real numbers are not published; a token bucket has the same shape.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.localchat.errors import too_many_requests


@dataclass(frozen=True)
class FloodLimit:
    """Size of the bucket: `burst` messages at once, `rate_per_s` in the long run."""

    rate_per_s: float = 1.0
    burst: int = 20


TELEGRAM_LIKE = FloodLimit()


class TokenBuckets:
    """One token bucket per chat.

    Parameters
    ----------
    limit : FloodLimit or None
        ``None`` lets everything pass.
    clock : callable
        Returns monotonic seconds; tests pass their own.
    """

    def __init__(
        self, limit: FloodLimit | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._buckets: dict[int, tuple[float, float]] = {}

    def admit(self, chat_id: int, messages: int = 1) -> None:
        """Take `messages` tokens from the bucket of a chat.

        Raises
        ------
        BotApiError
            429 with the seconds to wait, if the bucket holds too few; nothing is taken then.
        """
        if self._limit is None:
            return
        now_s = self._clock()
        tokens, filled_at_s = self._buckets.get(chat_id, (float(self._limit.burst), now_s))
        tokens = min(
            float(self._limit.burst), tokens + (now_s - filled_at_s) * self._limit.rate_per_s
        )
        # An album larger than the bucket must still pass once the bucket is full.
        missing = min(messages, self._limit.burst) - tokens
        if missing > 0:
            self._buckets[chat_id] = (tokens, now_s)
            raise too_many_requests(max(1, math.ceil(missing / self._limit.rate_per_s)))
        self._buckets[chat_id] = (tokens - messages, now_s)
