"""A small HTTP server for scrapes of the metrics, on the event loop.

Its connections are few and short. When all are taken, a newcomer takes the place of the oldest: a
scrape is over in milliseconds, so what is old is idle. Every answer closes its connection.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

MAX_CONNECTIONS: Final = 16
LIMIT_S: Final = 5.0
"""Longest time from a connection to the last byte of its answer."""

_MAX_HEAD_BYTES: Final = 8192
_PATHS: Final = {"/", "/metrics"}
_METHODS: Final = {"GET", "HEAD"}


class ScrapeServer:
    """Answers ``GET /metrics``.

    Parameters
    ----------
    registry : CollectorRegistry
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, None] = {}

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises
        ------
        OSError
            If the address cannot be listened on.
        """
        self._server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD_BYTES)

    def stop(self) -> None:
        """Close the server and its connections."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
                async with asyncio.timeout(LIMIT_S):
                    writer.write(await self._answer(reader))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        """Read a request; return the response."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _encode(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        request, *lines = head.decode("latin-1").split("\r\n")
        words = request.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _encode(HTTPStatus.BAD_REQUEST)
        method, target, _ = words
        if method not in _METHODS:
            return _encode(HTTPStatus.METHOD_NOT_ALLOWED)
        if target.partition("?")[0] not in _PATHS:
            return _encode(HTTPStatus.NOT_FOUND)
        fields = (line.partition(":") for line in lines)
        accepted = [value.strip() for name, _, value in fields if name.strip().lower() == "accept"]
        encode, content_type = choose_encoder(",".join(accepted))
        return _encode(
            HTTPStatus.OK, encode(self._registry), content_type, has_body=method == "GET"
        )


def _encode(
    status: HTTPStatus,
    body: bytes = b"",
    content_type: str = "text/plain; charset=utf-8",
    *,
    has_body: bool = True,
) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (body if has_body else b"")
