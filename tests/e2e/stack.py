"""The service and the bot as an operator starts them, and the chat page that they serve."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from playwright.async_api import BrowserContext, Page

from bot.localchat.server import LocalChat

START_S = 120.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """The service and the bot as two processes.

    Parameters
    ----------
    folder : Path
        Their working directory: caches, state and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.page_url = ""
        self._service: asyncio.subprocess.Process | None = None
        self._bot: asyncio.subprocess.Process | None = None

    async def start_service(self, **settings: str) -> None:
        """Start the service and wait until its health check says that it serves."""
        self._service = await self._start(
            "service",
            ["inference_service", "serve"],
            {
                "NOTABOT_SERVER_LISTEN": self.address,
                "NOTABOT_SERVER_METRICS_LISTEN": "off",
                "NOTABOT_CACHE_DIRECTORY": str(self.folder / "cache"),
                **settings,
            },
        )
        async with asyncio.timeout(START_S):
            while not await self._serves():
                assert self._service.returncode is None, self.log("service")
                await asyncio.sleep(0.2)

    async def start_bot(self, chat: LocalChat | None = None) -> None:
        """Start the bot with a chat page of its own, or with one that outlives it.

        It reads the address of the page.
        """
        own = {"BOT_TOKEN": "", "BOT_LOCALCHAT_LISTEN": "127.0.0.1:0"}
        lent = (
            {} if chat is None else {"BOT_TOKEN": chat.token, "BOT_API_SERVER": chat.api_base_url}
        )
        self._bot = await self._start(
            "bot",
            ["bot"],
            {
                "BOT_SERVICE_ADDRESS": self.address,
                "BOT_STATE_PATH": str(self.folder / "bot.sqlite3"),
                **(lent or own),
            },
        )
        if chat is not None:
            self.page_url = chat.page_url
            return
        assert self._bot.stdout is not None
        async with asyncio.timeout(START_S):
            line = (await self._bot.stdout.readline()).decode().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", line), line or self.log("bot")
        self.page_url = line

    def kill_service(self) -> None:
        """Send SIGKILL, as the kernel does when memory runs out."""
        assert self._service is not None
        self._service.send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Send SIGTERM to both, the bot first, and wait for them."""
        await self.stop_bot()
        await _stop(self._service)

    async def stop_bot(self) -> None:
        """Send SIGTERM to the bot, and wait for it."""
        await _stop(self._bot)

    def log(self, name: str) -> str:
        """The end of what a process wrote to its standard error."""
        return (self.folder / f"{name}.log").read_text()[-3000:]

    async def _start(
        self, name: str, module: list[str], environment: dict[str, str]
    ) -> asyncio.subprocess.Process:
        with (self.folder / f"{name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *module,
                cwd=self.folder,
                env={**os.environ, **environment},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )

    async def _serves(self) -> bool:
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            with suppress(grpc.aio.AioRpcError):
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
                return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
        return False


async def _stop(process: asyncio.subprocess.Process | None) -> None:
    if process is not None and process.returncode is None:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await process.wait()


async def open_chat(context: BrowserContext, stack: Stack, **viewport: int) -> Page:
    """Open the chat page and wait until it is ready."""
    page = await context.new_page()
    if viewport:
        await page.set_viewport_size(viewport)  # type: ignore[arg-type]
    await page.goto(stack.page_url)
    await page.locator("body[data-ready]").wait_for()
    return page
