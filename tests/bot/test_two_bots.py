"""Two bots of one token behind a webhook, which share a server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiogram.client.telegram import TelegramAPIServer

from bot.__main__ import open_memory, serve_webhook
from bot.client.calls import ServiceClient
from bot.dispatcher import build_bot, build_dispatcher, build_flood_control
from bot.intake import Intake
from bot.localchat.webhook import SECRET_HEADER
from bot.retries import Retries
from bot.session import BotSession
from bot.settings import BotSettings
from bot.shared.coordination import ALIVE_S
from tests.bot.botapi import BOT_ID, FakeTelegram
from tests.bot.conftest import build_settings
from tests.bot.service import FakeService, start_and_stay
from tests.bot.telegram import AUDIO, TOKEN
from tests.valkey_server import ValkeyServer

ANN = 7
SECRET = "the-webhook-secret"
ROOT = Path(__file__).parents[2]
CANCEL_S = 1.0
SEND_S = 30.0
START_S = 60.0
"""For a process, on a busy machine."""


@asynccontextmanager
async def run_bot(settings: BotSettings) -> AsyncIterator[None]:
    """A bot in this process, behind its webhook."""
    async with AsyncExitStack() as stack:
        coordination, stores = await stack.enter_async_context(open_memory(settings))
        client = await stack.enter_async_context(ServiceClient(settings.service_address))
        flood = build_flood_control(settings, coordination)
        intake = Intake(coordination)
        session = BotSession(api=TelegramAPIServer.from_base(str(settings.api_server)))
        bot = build_bot(TOKEN, session, flood, Retries(20.0), intake, stores.pages)
        stack.push_async_callback(session.close)
        dispatcher = build_dispatcher(
            settings,
            client,
            stores.languages,
            flood,
            intake,
            stores.pages,
            stores.recordings,
            stores.results,
            coordination=coordination,
        )
        stop = asyncio.Event()
        serving = asyncio.create_task(serve_webhook(bot, dispatcher, settings, intake, stop))
        try:
            yield
        finally:
            stop.set()
            await serving


@dataclass
class Fleet:
    """The bots; ``send`` is what Telegram does."""

    telegram: FakeTelegram
    common: dict[str, str]
    build_port: Callable[[], int]
    folder: Path
    web: aiohttp.ClientSession
    stack: AsyncExitStack
    urls: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Start another bot, and wait until it takes updates."""
        calls = self.telegram.calls.count("setWebhook")
        own = {**self.common, **self._own()}
        changes = {name.removeprefix("BOT_").lower(): value for name, value in own.items()}
        await self.stack.enter_async_context(run_bot(build_settings(**changes)))
        await self._wait_for_webhook(calls)

    async def start_process(self) -> subprocess.Popen[bytes]:
        """Start another bot in a process of its own, which can be killed."""
        calls = self.telegram.calls.count("setWebhook")
        process = self._launch({**self.common, **self._own()})
        await self._wait_for_webhook(calls)
        return process

    async def post(self, number: int, update: dict[str, Any]) -> int:
        """Send an update to a bot; return the status of its answer, 0 if it does not answer."""
        headers = {SECRET_HEADER: SECRET}
        try:
            async with self.web.post(self.urls[number], json=update, headers=headers) as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0

    async def send(self, number: int) -> int:
        """Send the latest update to a bot, and to others until one takes it."""
        update = self.telegram.history[-1]
        async with asyncio.timeout(SEND_S):
            while (status := await self.post(number, update)) != 200:
                number = (number + 1) % len(self.urls)
                await asyncio.sleep(0.2)
            return status

    def _own(self) -> dict[str, str]:
        address = f"127.0.0.1:{self.build_port()}"
        self.urls.append(f"http://{address}/hook")
        return {"BOT_WEBHOOK_LISTEN": address}

    def _launch(self, settings: dict[str, str]) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BOT_")}
        with (self.folder / "bot.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot"],
                cwd=self.folder,
                env={**kept, **settings, "PYTHONPATH": str(ROOT)},
                stderr=log,
            )
        self.stack.callback(kill, process)
        return process

    async def _wait_for_webhook(self, calls: int) -> None:
        await self.telegram.wait_for(
            lambda: self.telegram.calls.count("setWebhook") > calls, START_S
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process at once."""
    process.kill()
    process.wait()


@pytest.fixture
async def fleet(
    telegram: FakeTelegram,
    service: tuple[FakeService, str],
    valkey: ValkeyServer,
    tmp_path: Path,
    unused_tcp_port_factory: Callable[[], int],
) -> AsyncIterator[Fleet]:
    """No bots yet."""
    common = {
        "BOT_TOKEN": TOKEN,
        "BOT_API_SERVER": telegram.url,
        "BOT_SERVICE_ADDRESS": service[1],
        "BOT_WEBHOOK_URL": "https://bot.example/hook",
        "BOT_WEBHOOK_SECRET": SECRET,
        "BOT_SHARED_STATE_URL": valkey.url,
        "BOT_CHAT_INTERVAL_S": "0.05",
        "BOT_PER_USER_JOBS": "1",
        "BOT_DRAIN_S": "0.1",
    }
    async with aiohttp.ClientSession() as web, AsyncExitStack() as stack:
        yield Fleet(telegram, common, unused_tcp_port_factory, tmp_path, web, stack)


@pytest.fixture
async def two(fleet: Fleet) -> Fleet:
    """Two bots."""
    await fleet.start()
    await fleet.start()
    return fleet


async def test_an_update_that_reaches_both_is_worked_once(
    two: Fleet, service: tuple[FakeService, str]
) -> None:
    telegram = two.telegram
    await telegram.send_voice(ANN, AUDIO)
    update = telegram.history[-1]
    assert await asyncio.gather(*(two.post(number, update) for number in (0, 1, 0, 1))) == [200] * 4
    await telegram.wait_for(lambda: telegram.controls(ANN))
    await telegram.send(ANN, text="/start")
    update = telegram.history[-1]
    await asyncio.gather(*(two.post(number, update) for number in (0, 1)))
    await telegram.wait_for(lambda: len(telegram.shown(ANN)) > 1)
    assert await two.post(1, update) == await two.post(0, update) == 200, "confirmed again"
    assert len(telegram.shown(ANN)) == 2
    assert len(telegram.scores(ANN)) == len(telegram.controls(ANN)) == 1
    assert len(service[0].transcriptions) == 1


async def test_a_cancel_button_stops_the_job_of_another_bot(
    two: Fleet, service: tuple[FakeService, str]
) -> None:
    fake, telegram = service[0], two.telegram
    fake.transcribe = start_and_stay
    await telegram.send_voice(ANN, AUDIO)
    await two.send(0)
    await telegram.wait_for(lambda: any("Separating" in m.text for m in telegram.shown(ANN)))
    [status] = telegram.shown(ANN)
    await telegram.press(status, "Cancel")
    started_s = time.monotonic()
    await two.send(1)
    [job] = fake.jobs.values()
    await asyncio.wait_for(job.closed.wait(), 10)
    assert time.monotonic() - started_s < CANCEL_S
    await telegram.wait_for(lambda: not status.buttons)
    assert len(fake.transcriptions) == 1


async def test_a_message_is_worked_by_another_if_its_bot_dies(
    fleet: Fleet, service: tuple[FakeService, str]
) -> None:
    process = await fleet.start_process()
    await fleet.start()
    fake, telegram = service[0], fleet.telegram
    reached = asyncio.Event()

    async def hold(context: Any) -> None:
        if not reached.is_set():
            reached.set()
            await asyncio.Event().wait()

    fake.admit = hold
    await telegram.send_voice(ANN, AUDIO)
    sending = asyncio.create_task(fleet.send(0))
    await asyncio.wait_for(reached.wait(), 10)
    kill(process)
    assert await asyncio.wait_for(sending, ALIVE_S + 20) == 200
    await telegram.wait_for(lambda: telegram.controls(ANN))
    assert len(telegram.scores(ANN)) == 1


async def test_an_accepted_job_goes_on_with_another_bot(
    fleet: Fleet, service: tuple[FakeService, str]
) -> None:
    process = await fleet.start_process()
    await fleet.start()
    fake, telegram = service[0], fleet.telegram
    usual, fake.transcribe = fake.transcribe, start_and_stay
    await telegram.send_voice(ANN, AUDIO)
    await fleet.send(0)
    await telegram.wait_for(lambda: any("Separating" in m.text for m in telegram.shown(ANN)))
    fake.transcribe = usual
    kill(process)
    await telegram.wait_for(lambda: telegram.controls(ANN), ALIVE_S + 30)
    [job] = fake.jobs.values()
    await asyncio.wait_for(job.closed.wait(), 10)
    assert len(telegram.scores(ANN)) == len(telegram.shown(ANN)) == 1


async def test_one_persons_recordings_wait_for_each_other_at_all_bots(
    two: Fleet, service: tuple[FakeService, str]
) -> None:
    fake, telegram = service[0], two.telegram
    fake.transcribe = start_and_stay
    await telegram.send_voice(ANN, AUDIO)
    await two.send(0)
    await fake.wait_for_transcriptions(1)
    second = await telegram.send_voice(ANN, AUDIO[:1000])
    await two.send(1)
    await telegram.wait_for(lambda: len(telegram.shown(ANN)) == 2)
    await asyncio.sleep(1.0)
    assert len(fake.transcriptions) == 1, "the second is accepted, and waits"
    assert (str(BOT_ID), f"{ANN}.{second}") in fake.jobs
    await telegram.press(telegram.shown(ANN)[0], "Cancel")
    await two.send(1)
    await fake.wait_for_transcriptions(2)


async def test_without_the_server_updates_wait_at_telegram(
    two: Fleet, valkey: ValkeyServer
) -> None:
    telegram = two.telegram
    valkey.stop()
    await telegram.send(ANN, text="/start")
    update = telegram.history[-1]
    assert [await two.post(number, update) for number in (0, 1)] == [503, 503]
    assert telegram.shown(ANN) == []
    valkey.start()
    await asyncio.wait_for(two.send(0), 20)
    await telegram.wait_for(lambda: telegram.shown(ANN))


async def test_messages_of_a_chat_begin_in_their_order(
    two: Fleet, service: tuple[FakeService, str]
) -> None:
    fake, telegram = service[0], two.telegram
    go_on = asyncio.Event()
    accepted: list[str] = []

    async def hold(context: Any) -> None:
        accepted.append("")
        await go_on.wait()

    fake.admit = hold
    await telegram.send_voice(ANN, AUDIO)
    first = asyncio.create_task(two.post(0, telegram.history[-1]))
    async with asyncio.timeout(SEND_S):
        while not accepted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await telegram.send_voice(ANN, AUDIO)
    second = asyncio.create_task(two.post(1, telegram.history[-1]))
    await telegram.send(ANN + 1, text="/start")
    assert await two.post(1, telegram.history[-1]) == 200, "another chat does not wait"
    await asyncio.sleep(0.5)
    assert len(accepted) == 1
    assert not second.done()
    go_on.set()
    assert [await first, await second] == [200, 200]
