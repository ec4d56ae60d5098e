"""Strangers on addresses of their own, who reach the service through a tunnel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc


@asynccontextmanager
async def stranger(address: str, source: str) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel whose connections come from another address of this machine."""
    host, _, port = address.rpartition(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(
            host, int(port), local_addr=(source, 0)
        )
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    near = server.sockets[0].getsockname()[1]
    try:
        # A pool of its own: gRPC would share a connection between equal channels.
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{near}", options) as channel:
            yield channel
    finally:
        server.close()
