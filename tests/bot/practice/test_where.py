"""Where the page is served: beside the webhook, in the local chat, or on a port of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiogram.methods import SetWebhook

import bot.__main__
from bot.__main__ import serve, serve_webhook
from bot.i18n import load_catalogues
from bot.practice.built import Built
from bot.practice.site import PracticeSite
from bot.settings import BotSettings
from tests.bot.botapi import FakeTelegram
from tests.bot.conftest import Harness, build_settings
from tests.bot.service import FakeService
from tests.bot.telegram import TOKEN


@asynccontextmanager
async def running(settings: BotSettings) -> AsyncIterator[None]:
    """The whole bot, in this process."""
    task = asyncio.create_task(serve(settings))
    try:
        yield
    finally:
        while not task.done():  # in Python 3.11, `wait_for` may swallow a cancellation
            task.cancel()
            await asyncio.wait([task], timeout=1)


async def status_of(url: str, wanted: int = 200) -> int:
    """The status of an address, once it answers as wanted or a while is over."""
    status = 0
    async with aiohttp.ClientSession() as browser:
        for _ in range(100):
            try:
                async with browser.get(url) as answer:
                    status = answer.status
            except aiohttp.ClientError:
                pass
            if status == wanted:
                break
            await asyncio.sleep(0.1)
    return status


async def printed_address(capsys: pytest.CaptureFixture[str]) -> str:
    """The address of the chat page, once it is printed."""
    printed = ""
    for _ in range(200):
        printed += capsys.readouterr().out
        if line := re.search(r"^http://127\.0\.0\.1:\d+/$", printed, re.MULTILINE):
            return line[0]
        await asyncio.sleep(0.1)
    raise AssertionError(printed)


@pytest.fixture
def settings(tmp_path: Path, service: tuple[FakeService, str]) -> dict[str, Any]:
    return {"state_path": tmp_path / "bot.sqlite3", "service_address": service[1], "drain_s": 0}


async def test_a_bot_that_polls_has_a_port_for_it(
    settings: dict[str, Any],
    telegram: FakeTelegram,
    built: Built,
    monkeypatch: pytest.MonkeyPatch,
    unused_tcp_port: int,
) -> None:
    monkeypatch.setattr(bot.__main__, "Built", lambda: built)
    listen = f"127.0.0.1:{unused_tcp_port}"
    about = {**settings, "token": TOKEN, "api_server": telegram.url, "practice_listen": listen}
    async with running(build_settings(**about, public_url="https://bot.example")):
        assert await status_of(f"http://{listen}/practice/") == 200
        assert await status_of(f"http://{listen}/practice/api/score", 401) == 401
        await telegram.send_voice(7, b"OggS" + bytes(1000))
        await telegram.wait_for(lambda: telegram.scores(7))
        [page] = telegram.scores(7)
        assert page.buttons["Practise"].startswith("https://bot.example/practice/#link=")


async def test_a_bot_that_polls_without_a_public_address_serves_no_page(
    settings: dict[str, Any],
    telegram: FakeTelegram,
    built: Built,
    monkeypatch: pytest.MonkeyPatch,
    unused_tcp_port: int,
) -> None:
    monkeypatch.setattr(bot.__main__, "Built", lambda: built)
    listen = f"127.0.0.1:{unused_tcp_port}"
    about = {**settings, "token": TOKEN, "api_server": telegram.url, "practice_listen": listen}
    async with running(build_settings(**about)):
        await telegram.send_voice(7, b"OggS" + bytes(1000))
        await telegram.wait_for(lambda: telegram.scores(7))
        assert "Practise" not in telegram.scores(7)[0].buttons
        with pytest.raises(aiohttp.ClientConnectionError):
            async with aiohttp.ClientSession() as browser:
                await browser.get(f"http://{listen}/practice/")


@pytest.mark.parametrize("is_built", [True, False])
async def test_the_local_chat_always_has_it_if_it_is_built(
    settings: dict[str, Any],
    built: Built,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    is_built: bool,
) -> None:
    there = built if is_built else Built(tmp_path / "nothing")
    monkeypatch.setattr(bot.__main__, "Built", lambda: there)
    async with running(build_settings(**settings, localchat_listen="127.0.0.1:0")):
        base = await printed_address(capsys)
        wanted = 200 if is_built else 404
        assert await status_of(f"{base}practice/", wanted) == wanted
        async with aiohttp.ClientSession(base) as browser:
            if is_built:
                async with browser.get("/practice/") as answer:
                    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
            headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
            async with browser.get("/practice/", headers=headers) as answer:
                assert answer.status == wanted, "a link from elsewhere leads to the page"
            async with browser.get("/practice/api/score", headers=headers) as answer:
                assert answer.status == 403
            async with browser.get("/practice/", headers={"Host": "evil.example"}) as answer:
                assert answer.status == 403


async def test_a_webhook_shares_its_port(
    harness: Harness, built: Built, unused_tcp_port: int
) -> None:
    settings = build_settings(
        token=TOKEN,
        webhook_url="https://bot.example/hook",
        webhook_secret="the-webhook-secret",
        webhook_listen=f"127.0.0.1:{unused_tcp_port}",
        public_url="https://bot.example/",
    )
    stop = asyncio.Event()
    site = PracticeSite(load_catalogues(), built)
    serving = asyncio.create_task(
        serve_webhook(harness.bot, harness.dispatcher, settings, harness.intake, stop, site)
    )
    await harness.session.wait_for(SetWebhook)
    base = f"http://127.0.0.1:{unused_tcp_port}"
    assert await status_of(f"{base}/practice/") == 200
    assert await status_of(f"{base}/hook", 405) == 405
    stop.set()
    await asyncio.wait_for(serving, 10)
