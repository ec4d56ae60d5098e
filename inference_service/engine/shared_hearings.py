"""Who hears which recording, for several gateways: leases in Valkey or Redis.

Requests of one gateway follow each other in its memory
(:class:`~inference_service.engine.reuse.LocalHearings`). The one that leads there also takes a
lease, under the recording's key, and renews it twice a second with its latest progress, which the
other gateways read as often. A lease ends with its hearing, or by itself once its gateway has died;
then another request takes the lead. If the server is away, every gateway hears for itself.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from pydantic import TypeAdapter

from inference_service.engine.job_store import StoredError
from inference_service.engine.reuse import Lead, LocalHearings
from inference_service.engine.shared_state import PREFIX, SharedState
from inference_service.engine.worker import Update
from inference_service.errors import (
    ERRORS,
    DeadlineExceeded,
    ErrorKind,
    Internal,
    NotabotError,
    NotReady,
)

BEAT_S: Final = 0.5
LEASE_S: Final = 10.0
"""Long enough for an event loop that waits for the interpreter while a model loads."""

_ERROR_S: Final = 5.0
"""For so long, those who follow can learn why a recording cannot be heard."""

_HEARING: Final = f"{PREFIX}hearing:"
_UPDATE: Final[TypeAdapter[Update]] = TypeAdapter(Update)
_ERROR: Final = TypeAdapter(StoredError)

_TAKE: Final = """
if redis.call('HEXISTS', KEYS[1], 'holder') == 1 then
    return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'holder', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
"""Key: hearing. Arguments: holder, length of a lease."""

_RENEW: Final = """
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then
    return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[3] ~= '' then
    redis.call('HSET', KEYS[1], 'news', ARGV[3])
end
return 1
"""
"""Key: hearing. Arguments: holder, length of a lease, progress."""

_END: Final = """
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then
    return
end
redis.call('DEL', KEYS[1])
if ARGV[3] ~= '' then
    redis.call('HSET', KEYS[1], 'error', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
"""
"""Key: hearing. Arguments: holder, how long an error is kept, the error."""


class SharedHearings:
    """The :class:`~inference_service.engine.reuse.Hearings` of several gateways.

    Parameters
    ----------
    state : SharedState
    lease_s : float
        How long a lead stays with a gateway that does not renew it.
    beat_s : float
        Between two renewals, and between two looks of those who follow.
    """

    def __init__(
        self, state: SharedState, lease_s: float = LEASE_S, beat_s: float = BEAT_S
    ) -> None:
        self._local = LocalHearings()
        self._state = state
        self._lease_ms = int(lease_s * 1000)
        self._beat_s = beat_s
        self._ending: set[asyncio.Task[None]] = set()
        register = state.client.register_script
        self._take: Any = register(_TAKE)
        self._renew: Any = register(_RENEW)
        self._end: Any = register(_END)

    async def lead(self, key: str) -> Lead | None:
        """Take the lead, or return None if another request has it, at whichever gateway."""
        local = await self._local.lead(key)
        if local is None:
            return None
        holder = secrets.token_hex(8)
        try:
            taken = await self._state.ask(self._take([_HEARING + key], [holder, self._lease_ms]))
        except NotReady:
            return local
        except BaseException:
            local.end()
            raise
        if not taken:
            local.end()
            return None
        return _SharedLead(self, local, key, holder)

    async def follow(self, key: str, deadline_s: float) -> AsyncGenerator[Update, None]:
        """Yield updates of the request that leads, until it gives the lead back."""
        if self._local.is_led(key):
            async for update in self._local.follow(key, deadline_s):
                yield update
            return
        shown = None
        with suppress(NotReady):
            while True:
                news, error, holder = await self._state.ask(
                    self._state.client.hmget(_HEARING + key, "news", "error", "holder")
                )
                if error is not None:
                    stored = _ERROR.validate_json(error)
                    raise ERRORS.get(stored.code, Internal)(stored.cause, **stored.params)
                if holder is None:
                    return
                if news is not None and news != shown:
                    shown = news
                    yield _UPDATE.validate_json(news)
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise DeadlineExceeded("the request ran out of its time")
                await asyncio.sleep(min(self._beat_s, left_s))

    async def beat(self, key: str, holder: str, update: Update | None) -> bool:
        """Renew a lease, with the latest progress; False if it was lost."""
        news = b"" if update is None else _UPDATE.dump_json(update)
        renewal = self._renew([_HEARING + key], [holder, self._lease_ms, news])
        return bool(await self._state.ask(renewal))

    async def keep_beating(self, lead: _SharedLead) -> None:
        """Renew a lease until it is lost; what is heard then goes on beside another hearing."""
        while True:
            with suppress(NotReady):
                if not await self.beat(lead.key, lead.holder, lead.latest):
                    return
            await asyncio.sleep(self._beat_s)

    def end(self, key: str, holder: str, error: NotabotError | None) -> None:
        """End a lease, in the background."""
        stored = b""
        if error is not None:
            stored = _ERROR.dump_json(StoredError(error.code, error.cause, dict(error.params)))

        async def end() -> None:
            with suppress(NotReady):  # it expires by itself
                await self._state.ask(
                    self._end([_HEARING + key], [holder, int(_ERROR_S * 1000), stored])
                )

        task = asyncio.create_task(end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _SharedLead:
    def __init__(self, hearings: SharedHearings, local: Lead, key: str, holder: str) -> None:
        self.key = key
        self.holder = holder
        self.latest: Update | None = None
        self._hearings = hearings
        self._local = local
        self._beating: asyncio.Task[None] | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        self._local.__enter__()
        self._beating = asyncio.create_task(self._hearings.keep_beating(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._local.__exit__(kind, error, traceback)
        # What else fails concerns this gateway, or this request: another one hears.
        is_theirs = isinstance(error, NotabotError) and error.kind is ErrorKind.INVALID_INPUT
        self._end(error if is_theirs else None)  # type: ignore[arg-type]

    def post(self, update: Update) -> None:
        self.latest = update
        self._local.post(update)

    def end(self) -> None:
        self._local.end()
        self._end(None)

    def _end(self, error: NotabotError | None) -> None:
        if not self._is_over:
            self._is_over = True
            if self._beating is not None:
                self._beating.cancel()
            self._hearings.end(self.key, self.holder, error)
