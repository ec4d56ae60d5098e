"""The bot and the service as processes of their own, beside a Telegram that outlives both."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.bot.botapi import FakeTelegram
from tests.bot.telegram import TOKEN
from tests.conftest import ROOT
from tests.service.running import free_port

START_S = 180.0


class Programs:
    """The service and the bot."""

    def __init__(self, folder: Path, telegram: FakeTelegram) -> None:
        self._folder = folder
        self._telegram = telegram
        self._port = free_port()
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def start_service(self) -> None:
        """Start the service and wait until it serves."""
        arguments = ["tests.attack.slow_service", str(self._folder), str(self._port), "0.5"]
        process = await self._start("service", arguments)
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        assert line == b"serving\n", self.log("service")

    async def start_bot(self) -> None:
        """Start the bot and wait until it polls."""
        polls = self._telegram.calls.count("getUpdates")
        await self._start("bot", ["bot"])
        await self._telegram.wait_for(
            lambda: self._telegram.calls.count("getUpdates") > polls, START_S
        )

    async def kill(self, name: str) -> None:
        """Send SIGKILL and wait for the end."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def stop(self) -> None:
        """Kill what runs."""
        for name in list(self._running):
            await self.kill(name)

    def log(self, name: str) -> str:
        """The end of what a program has logged."""
        return (self._folder / f"{name}.log").read_text()[-4000:]

    async def _start(self, name: str, module: list[str]) -> asyncio.subprocess.Process:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}",
            "BOT_TOKEN": TOKEN,
            "BOT_API_SERVER": self._telegram.url,
            "BOT_SERVICE_ADDRESS": f"127.0.0.1:{self._port}",
            "BOT_STATE_PATH": str(self._folder / "bot.sqlite3"),
            "BOT_CHAT_INTERVAL_S": "0.05",
        }
        with (self._folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *module,
                cwd=self._folder,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._running[name] = process
        return process
