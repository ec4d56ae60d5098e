"""Limits on how often, and how much at once, the practice page may ask."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

MAX_HOLDERS: Final = 10_000
_IPV6_PREFIX: Final = 64
"""Who has one IPv6 address usually has all with this prefix."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` requests at once, and ``per_s`` in the long run."""

    burst: float
    per_s: float


class TokenBuckets:
    """A token bucket for each holder.

    Of the holders beyond ``max_holders``, those that asked longest ago are forgotten: their buckets
    are the fullest.

    Parameters
    ----------
    rate : Rate
    max_holders : int
    now_s : callable
        A clock that never goes back.
    """

    def __init__(
        self,
        rate: Rate,
        max_holders: int = MAX_HOLDERS,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._max_holders = max_holders
        self._now_s = now_s
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, holder: Hashable) -> float:
        """Take a token; returns 0, or the seconds until there is one."""
        now_s = self._now_s()
        left, seen_s = self._buckets.pop(holder, (self._rate.burst, now_s))
        left = min(self._rate.burst, left + (now_s - seen_s) * self._rate.per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._rate.per_s
        self._buckets[holder] = (left if wait_s else left - 1, now_s)
        while len(self._buckets) > self._max_holders:
            self._buckets.popitem(last=False)
        return wait_s

    def __len__(self) -> int:
        return len(self._buckets)


class BusyError(Exception):
    """Too many wait already."""


class Places:
    """A limit on how many do something at once, and on how many wait for it.

    Parameters
    ----------
    limit, max_waiting : int
    """

    def __init__(self, limit: int, max_waiting: int) -> None:
        self._free = asyncio.Semaphore(limit)
        self._limit = limit + max_waiting
        self._held = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises
        ------
        BusyError
            If ``max_waiting`` others wait.
        """
        if self._held >= self._limit:
            raise BusyError
        self._held += 1
        try:
            async with self._free:
                yield
        finally:
            self._held -= 1


class PlacesByKey:
    """:class:`Places` for each key, kept only as long as somebody holds or wants one."""

    def __init__(self, limit: int, max_waiting: int) -> None:
        self._limit = limit
        self._max_waiting = max_waiting
        self._places: dict[Hashable, Places] = {}
        self._users: dict[Hashable, int] = {}

    @asynccontextmanager
    async def place(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for a place of ``key`` and hold it.

        Raises
        ------
        BusyError
            If too many others wait for it.
        """
        places = self._places.setdefault(key, Places(self._limit, self._max_waiting))
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with places.place():
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._places[key]


def caller_of(request: web.Request, proxies: int) -> str:
    """Return the network address of who asks; of IPv6, the part that belongs to one household.

    Parameters
    ----------
    request : aiohttp.web.Request
    proxies : int
        How many proxies stand in front. Each has appended an address to ``X-Forwarded-For``; what
        stands before these was written by the caller, and is not believed.
    """
    address = request.remote or ""
    if proxies:
        hops = [
            hop.strip()
            for line in request.headers.getall("X-Forwarded-For", [])
            for hop in line.split(",")
        ]
        if len(hops) >= proxies:
            address = hops[-proxies]
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return request.remote or ""
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
