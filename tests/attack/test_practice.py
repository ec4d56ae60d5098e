"""Strangers at the practice page of the real bot: it refuses them, stays small, and serves others.

Attackers and honest people have addresses of their own on the loopback interface.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from bot.practice.api import LINK_RATE
from tests.attack.table import Row
from tests.attack.test_flood import memory_mb
from tests.bot.botapi import FakeTelegram
from tests.bot.practice.initdata import signed_init_data
from tests.bot.practised import RECORDING
from tests.bot.service import FakeService, serve
from tests.bot.telegram import TOKEN
from tests.conftest import ROOT
from tests.service.running import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN, BOB, EVE = 7, 8, 9
HONEST, HOSTILE = "127.0.0.2", "127.0.0.3"
START_S = 180.0
GROWTH_MB = 60.0
LONGEST_WAIT_S = 3.0
"""Of Ann, for her score and its sound together."""
TEN_MB = b'{"revision":"a","corrections":{"edits":[' + b'{"kind":"delete","note":"a:1"},' * 330_000


@dataclass
class Page:
    """A running practice page, and the links that people were given."""

    url: str
    pid: int
    telegram: FakeTelegram
    tokens: dict[int, str]
    log: Path

    def headers(self, person_id: int, opened_by: int | None = None) -> dict[str, str]:
        """What the page of a person sends."""
        return {
            "Authorization": f"Practice {self.tokens[person_id]}",
            "X-Telegram-Init-Data": signed_init_data(opened_by or person_id),
        }

    @asynccontextmanager
    async def browser(self, address: str) -> AsyncIterator[aiohttp.ClientSession]:
        """A browser on an address of its own."""
        connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
        limit = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(self.url, connector=connector, timeout=limit) as browser:
            yield browser


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """One bot for several tests."""
    async with run_bot(tmp_path_factory.mktemp("bot")) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def own_page(tmp_path: Path) -> AsyncIterator[Page]:
    """A bot for a test that uses up what others need."""
    async with run_bot(tmp_path) as page:
        yield page


@asynccontextmanager
async def run_bot(tmp_path: Path) -> AsyncIterator[Page]:
    """Run the bot as a process, and give Ann, Bob and Eve a score each."""
    port = free_port()
    log = tmp_path / "bot.log"
    async with FakeTelegram().serve() as telegram, serve(FakeService()) as address:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}",
            "BOT_TOKEN": TOKEN,
            "BOT_API_SERVER": telegram.url,
            "BOT_SERVICE_ADDRESS": address,
            "BOT_STATE_PATH": str(tmp_path / "bot.sqlite3"),
            "BOT_PUBLIC_URL": "https://bot.example/",
            "BOT_PRACTICE_LISTEN": f"127.0.0.1:{port}",
            "BOT_CHAT_INTERVAL_S": "0.05",
        }
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.attack.practising_bot",
                str(tmp_path / "static"),
                cwd=tmp_path,
                env=environment,
                stderr=file,
            )
        try:
            tokens = {}
            for person in (ANN, BOB, EVE):
                await telegram.send_voice(person, b"OggS" + bytes(1000))
                await telegram.wait_for(partial(telegram.scores, person), START_S)
                url = telegram.scores(person)[0].buttons["Practise"]
                tokens[person] = url.partition("#link=")[2]
            yield Page(f"http://127.0.0.1:{port}/practice/", process.pid, telegram, tokens, log)
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def honest(page: Page, row: Row) -> AsyncIterator[None]:
    """Meanwhile Ann reads her score, hears its sound, and writes to the bot."""
    ended = asyncio.Event()

    async def practise() -> None:
        async with page.browser(HONEST) as browser:
            while not ended.is_set():
                begun_s = time.monotonic()
                async with browser.get("api/score", headers=page.headers(ANN)) as answer:
                    row.lost += answer.status != 200
                async with browser.get("api/sounds/recording", headers=page.headers(ANN)) as answer:
                    row.lost += await answer.read() != RECORDING
                row.longest_wait_s = max(row.longest_wait_s, time.monotonic() - begun_s)
                await asyncio.sleep(0.7)

    practising = asyncio.create_task(practise())
    try:
        yield
        await page.telegram.send(ANN, text="/start")
        await page.telegram.wait_for(
            lambda: any("Hello" in message.text for message in page.telegram.shown(ANN)), 20
        )
    finally:
        ended.set()
        await practising
        page.telegram.messages.clear()


def check(page: Page, row: Row, in_full: bool) -> None:
    """What holds after every attack; how long others waited, where it is measured alone."""
    row.after_mb = memory_mb(page.pid)
    assert row.lost == 0
    assert not in_full or row.longest_wait_s < LONGEST_WAIT_S
    assert row.grown_mb < GROWTH_MB
    assert row.survived == row.tried
    log = page.log.read_text()
    assert "Traceback" not in log
    for token in page.tokens.values():
        assert token not in log
    assert "query_id" not in log


async def test_a_hundred_requests_a_second(own_page: Page, row: Row, in_full: bool) -> None:
    """Of one link: most are refused, with the time after which to come back."""
    page, seconds = own_page, 30 if in_full else 3
    answers: Counter[int] = Counter()

    async with page.browser(HOSTILE) as browser, honest(page, row):
        row.before_mb = memory_mb(page.pid)
        begun_s = time.monotonic()

        async def ask() -> None:
            async with browser.get("api/score", headers=page.headers(EVE)) as answer:
                answers[answer.status] += 1
                row.note(survived=answer.status in {200, 429, 503})

        async with asyncio.TaskGroup() as asking:
            for _ in range(seconds * 100):
                asking.create_task(ask())
                await asyncio.sleep(0.01)
        allowed = LINK_RATE.burst + LINK_RATE.per_s * (time.monotonic() - begun_s) + 1
    assert 20 <= answers[200] <= allowed
    assert answers[429] >= answers.total() - answers[503] - allowed
    check(page, row, in_full)


async def test_forged_links_and_data(page: Page, row: Row, in_full: bool) -> None:
    """Nobody gets in, whichever part is forged, and whoever's result it is."""
    eve = page.tokens[EVE]
    good = page.headers(ANN)
    forgeries: list[dict[str, str]] = [
        {},
        {**good, "X-Telegram-Init-Data": ""},
        {"Authorization": good["Authorization"]},
        page.headers(ANN, opened_by=EVE),
        {**good, "X-Telegram-Init-Data": signed_init_data(ANN, token=TOKEN[:-1])},
        {**good, "X-Telegram-Init-Data": signed_init_data(ANN, now_s=time.time() - 90_000)},
        {**good, "Authorization": f"Practice {eve[:40]}{page.tokens[ANN][40:]}"},
        {**good, "Authorization": f"Practice {secrets.token_urlsafe(100)}"},
        {**good, "Authorization": "Practice " + "A" * 7000},
    ]
    async with honest(page, row):
        row.before_mb = memory_mb(page.pid)
        for turn in range(20 if in_full else 3):
            for number, headers in enumerate(forgeries):
                address = f"127.0.{turn + 1}.{number + 10}"
                async with (
                    page.browser(address) as browser,
                    browser.get("api/score", headers=headers) as answer,
                ):
                    text = await answer.text()
                    row.note(survived=answer.status in {401, 403} and "<svg" not in text)
    check(page, row, in_full)


async def test_connections_that_nobody_reads_or_finishes(
    own_page: Page, row: Row, in_full: bool
) -> None:
    """Sounds that are not read, and bodies that never end, take their own places only."""
    row.attack = "unread answers, unfinished bodies"
    page = own_page
    parts = urlsplit(page.url)
    lines = [f"{name}: {value}" for name, value in page.headers(EVE).items()]
    sound = ["GET /practice/api/sounds/recording HTTP/1.1", "Host: x", *lines, "", ""]
    slow = [
        "POST /practice/api/edits HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        "Content-Length: 200000",
        *lines,
        "",
        '{"revision": ',
    ]
    held: list[asyncio.StreamWriter] = []
    async with honest(page, row):
        row.before_mb = memory_mb(page.pid)
        for number in range(60):
            text = sound if number % 2 else slow
            with suppress(OSError):
                _, writer = await asyncio.open_connection(
                    parts.hostname, parts.port, local_addr=(HOSTILE, 0), limit=1024
                )
                writer.write("\r\n".join(text).encode())
                held.append(writer)
                row.note(survived=True)
            await asyncio.sleep(0.05)
        await asyncio.sleep(3)
    for writer in held:
        writer.transport.abort()
    check(page, row, in_full)


async def test_addresses_that_are_not_served(page: Page, row: Row, in_full: bool) -> None:
    """No path leads to another file, to the service, or to the bot's own state."""
    row.attack = "paths out of the page"
    paths = [
        "../bot.sqlite3", "assets/../../bot.sqlite3", "assets/%2e%2e/%2e%2e/bot.sqlite3",
        "assets/..%2f..%2fbot.sqlite3", "soundbank/%00", "..;/bot.sqlite3", "offline.html",
        "api/score/../../../bot.log", "api/sounds/..%2f..%2fresult", "api/models", "api/describe",
        "api/render?result_id=x", "static/index.html", "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    ]  # fmt: skip
    row.before_mb = memory_mb(page.pid)
    async with page.browser(HOSTILE) as browser, honest(page, row):
        for path in paths:
            url = URL(page.url + path, encoded=True)
            async with browser.get(url, headers=page.headers(EVE), allow_redirects=False) as answer:
                text = await answer.text()
                is_refused = answer.status in {400, 404} and "SQLite" not in text
                row.note(survived=is_refused and "root:" not in text)
    check(page, row, in_full)


async def test_titles_with_markup(page: Page, row: Row, in_full: bool) -> None:
    """A title is text, wherever it comes out."""
    title = '</script><svg onload="alert(1)">&lt;"\'<b>'
    row.before_mb = memory_mb(page.pid)
    music = {"file_id": "m", "file_unique_id": "m", "duration": 5, "title": title}
    page.telegram.files["m"] = b"OggS" + bytes(1000)
    before = len(page.telegram.scores(EVE))
    await page.telegram.send(EVE, audio={**music, "file_size": 1004})
    await page.telegram.wait_for(lambda: len(page.telegram.scores(EVE)) > before)
    url = page.telegram.scores(EVE)[-1].buttons["Practise"]
    page.tokens[EVE] = url.partition("#link=")[2]
    async with page.browser(HOSTILE) as browser:
        async with browser.get("api/score", headers=page.headers(EVE)) as answer:
            score = json.loads(await answer.text())
            row.note(survived=score["title"] == title)
            row.note(survived=answer.headers["Content-Type"].startswith("application/json"))
        async with browser.get("api/save", headers=page.headers(EVE)) as answer:
            text = await answer.text()
            row.note(survived="<svg onload" not in text and "alert(1)" in text)
            row.note(survived="\r" not in answer.headers["Content-Disposition"])
    check(page, row, in_full)


async def test_ten_megabytes_of_edits(page: Page, row: Row, in_full: bool) -> None:
    """Announced or not, packed or not, quickly or slowly: refused unread.

    The last test, as it uses up Eve's rate.
    """
    row.attack = "10 MB of edits"

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(TEN_MB), 65536):
            yield TEN_MB[start : start + 65536]

    async def post(body: object, **more: str) -> None:
        headers = {**page.headers(EVE), "Content-Type": "application/json", **more}
        async with page.browser(HOSTILE) as browser:
            try:
                async with browser.post("api/edits", data=body, headers=headers) as answer:
                    row.note(survived=answer.status in {413, 422, 429})
            except aiohttp.ClientError:  # the connection was closed while it was still written to
                row.note(survived=True)

    async with honest(page, row):
        row.before_mb = memory_mb(page.pid)
        for _ in range(10 if in_full else 2):
            await asyncio.gather(
                *(post(TEN_MB) for _ in range(4)),
                *(post(pieces()) for _ in range(4)),
                post(TEN_MB[:1000], **{"Content-Encoding": "gzip"}),
            )
    check(page, row, in_full)
