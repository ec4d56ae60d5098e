"""Services, bots and a Ray cluster as processes that are killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bot.localchat.webhook import SECRET_HEADER
from tests.bot.botapi import FakeTelegram
from tests.bot.telegram import TOKEN
from tests.conftest import ROOT
from tests.service.running import free_port

SECRET = "the-webhook-secret"
START_S = 600.0
_REPLICA = b"ray::ServeReplica"


class Fleet:
    """Two services, two bots, and what they share.

    Parameters
    ----------
    folder : Path
        For logs and files.
    telegram : FakeTelegram
    state_url : str
        Address of the Valkey server; empty: the services share nothing, and there is one of each.
    bucket : mapping
        The environment by which the S3 server is found.
    """

    def __init__(
        self, folder: Path, telegram: FakeTelegram, state_url: str, bucket: dict[str, str]
    ) -> None:
        self._folder = folder
        self._telegram = telegram
        self._token = secrets.token_hex(32)
        self._ray = f"127.0.0.1:{free_port()}" if state_url else ""
        self._services = {f"service-{n}": free_port() for n in range(2 if state_url else 1)}
        self._bots = {f"bot-{n}": free_port() for n in range(2 if state_url else 1)}
        self._environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith(("BOT_", "NOTABOT_"))},
            **bucket,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}",
            "NOTABOT_MODELS_PROFILE": "tiny",
            "NOTABOT_SERVER_METRICS_LISTEN": "off",
            "NOTABOT_CACHE_DIRECTORY": str(folder / "results"),
            "NOTABOT_CACHE_URL": "s3://results/fleet" if state_url else "",
            "NOTABOT_SHARED_STATE_URL": state_url,
            "NOTABOT_CLUSTER_ADDRESS": self._ray,
            # Ray lets all other programs pass its workers, which then take minutes to start.
            "RAY_worker_niceness": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self._token,
            "NOTABOT_CLUSTER_CPUS": "0.1",
            "NOTABOT_CLUSTER_MAX_REPLICAS": "2",
            "BOT_TOKEN": TOKEN,
            "BOT_API_SERVER": telegram.url,
            "BOT_SERVICE_ADDRESS": "ipv4:"
            + ",".join(f"127.0.0.1:{port}" for port in self._services.values()),
            "BOT_WEBHOOK_URL": "https://bot.example/hook",
            "BOT_WEBHOOK_SECRET": SECRET,
            "BOT_SHARED_STATE_URL": state_url,
            "BOT_STATE_PATH": str(folder / "bot.sqlite3"),
            "BOT_CHAT_INTERVAL_S": "0.05",
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.kills: Counter[str] = Counter()

    async def start(self) -> None:
        """Start everything, and wait until it works."""
        if self._ray:
            port = self._ray.rpartition(":")[2]
            await self._run_ray(
                *("start", "--head", "--port", port),
                *("--num-cpus", "16", "--include-dashboard", "false", "--disable-usage-stats"),
                *("--object-store-memory", "400000000", "--temp-dir", "/tmp/notabot-ray"),
            )
        for name in self._services:
            self._start(name)
            await self._wait_for_service(name)  # the second finds everything deployed
        for name in self._bots:
            calls = self._telegram.calls.count("setWebhook")
            self._start(name)
            await self._telegram.wait_for(partial(self._has_more_webhooks, calls), START_S)

    async def stop(self) -> None:
        """End everything."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        if self._ray:
            await self._run_ray("stop", "--force")

    @contextlib.asynccontextmanager
    async def killing(self, every_s: float, seed: int) -> AsyncIterator[None]:
        """Kill a random service, bot or replica again and again, and start it at once."""
        killing = asyncio.create_task(self._kill_on(every_s, seed))
        try:
            yield
            assert not killing.done(), "nothing was killed any more"
        finally:
            killing.cancel()

    async def _kill_on(self, every_s: float, seed: int) -> None:
        rng = random.Random(seed)
        while True:
            await asyncio.sleep(every_s)
            kind = rng.choice(("service", "bot", "replica"))
            self.kills[kind] += 1
            if kind == "replica":
                with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(rng.choice(list(self._find_replicas())), signal.SIGKILL)
                continue
            name = f"{kind}-{rng.randrange(2)}"
            self._processes[name].kill()
            self._processes[name].wait()
            self._start(name)

    async def deliver(self, web: aiohttp.ClientSession, update: dict[str, Any], first: int) -> None:
        """Send an update to one bot after the other until one takes it, as a balancer would."""
        ports = list(self._bots.values())
        while True:
            url = f"http://127.0.0.1:{ports[first % len(ports)]}/hook"
            try:
                headers = {SECRET_HEADER: SECRET}
                async with web.post(url, json=update, headers=headers) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            first += 1
            await asyncio.sleep(0.3)

    def count_logged(self, event: str) -> int:
        """Count an event in the logs of the services."""
        return sum(self.log(name).count(event) for name in self._services)

    def log(self, name: str) -> str:
        """Return what a program has logged."""
        return (self._folder / f"{name}.log").read_text()

    def _has_more_webhooks(self, calls: int) -> bool:
        return self._telegram.calls.count("setWebhook") > calls

    def _start(self, name: str) -> None:
        if name in self._services:
            module = ["inference_service", "serve"]
            own = {"NOTABOT_SERVER_LISTEN": f"127.0.0.1:{self._services[name]}"}
        else:
            module = ["bot"]
            own = {"BOT_WEBHOOK_LISTEN": f"127.0.0.1:{self._bots[name]}"}
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=self._folder,
                env={**self._environment, **own},
                stdout=log,
                stderr=log,
            )

    async def _wait_for_service(self, name: str) -> None:
        async with (
            asyncio.timeout(START_S),
            grpc.aio.insecure_channel(f"127.0.0.1:{self._services[name]}") as channel,
        ):
            stub = health_pb2_grpc.HealthStub(channel)
            serving = health_pb2.HealthCheckResponse.SERVING
            while True:
                assert self._processes[name].poll() is None, self.log(name)[-4000:]
                with contextlib.suppress(grpc.aio.AioRpcError):
                    answer = await stub.Check(health_pb2.HealthCheckRequest())
                    if answer.status == serving:
                        return
                await asyncio.sleep(0.2)

    async def _run_ray(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "ray"),
            *arguments,
            env=self._environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == 0, arguments

    def _find_replicas(self) -> Iterable[int]:
        """Return the processes of this cluster's replicas, which know its token."""
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with contextlib.suppress(OSError):
                    is_replica = (folder / "cmdline").read_bytes().startswith(_REPLICA)
                    if is_replica and self._token.encode() in (folder / "environ").read_bytes():
                        yield int(folder.name)
