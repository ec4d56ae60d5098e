"""The composition root as its own process, and over a webhook."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiogram.methods import DeleteWebhook, SendMessage, SendPhoto, SetWebhook
from aiogram.types import Update

from bot.__main__ import main, serve_webhook
from tests.bot.conftest import Harness, build_settings
from tests.bot.telegram import TOKEN, voice

ROOT = Path(__file__).parents[2]
SECRET = "the-webhook-secret"


def test_importing_the_bot_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, bot.__main__;"
        "heavy = {'torch', 'numpy', 'scipy', 'inference_service'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _environment(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOT_")}
    quiet = {
        "BOT_STATE_PATH": str(tmp_path / "bot.sqlite3"),
        "BOT_LOCALCHAT_LISTEN": "127.0.0.1:0",
        "PYTHONPATH": str(ROOT),
    }
    return {**kept, **quiet, **more}


@pytest.mark.parametrize(
    ("settings", "exit_code", "words"),
    [
        ({"BOT_PER_USER_JOBS": "none"}, 2, "wrong settings"),
        ({"BOT_TOKEN": "nonsense"}, 2, "not a bot's token"),
        ({"BOT_TOKEN": TOKEN, "BOT_API_SERVER": "http://127.0.0.1:1"}, 1, "cannot start"),
        ({"BOT_LOCALCHAT_LISTEN": "203.0.113.1:1"}, 2, "BOT_LOCALCHAT_PUBLIC"),
        (
            {"BOT_LOCALCHAT_LISTEN": "203.0.113.1:1", "BOT_LOCALCHAT_PUBLIC": "1"},
            1,
            "cannot start",
        ),
    ],
)
def test_a_bot_that_cannot_start_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    own_logging: None,
    settings: dict[str, str],
    exit_code: int,
    words: str,
) -> None:
    for name, value in _environment(tmp_path, **settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == exit_code
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert TOKEN not in said.err + said.out


async def test_without_a_token_it_prints_one_address_and_stops_on_sigterm(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        cwd=tmp_path,
        env=_environment(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", line)
        async with aiohttp.ClientSession() as web, web.get(line) as page:
            assert page.status == 200
        while b"Start polling" not in await asyncio.wait_for(process.stderr.readline(), 20):
            pass
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 0
        assert out == b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def webhook(
    build_harness: Callable[..., Harness], unused_tcp_port: int
) -> AsyncIterator[tuple[Harness, str]]:
    """The bot behind a webhook, and the address that Telegram would call."""
    settings = build_settings(
        token=TOKEN,
        webhook_url="https://bot.example/hook",
        webhook_secret=SECRET,
        webhook_listen=f"127.0.0.1:{unused_tcp_port}",
    )
    harness = build_harness()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve_webhook(harness.bot, harness.dispatcher, settings, harness.intake, stop)
    )
    await harness.session.wait_for(SetWebhook)
    yield harness, f"http://127.0.0.1:{unused_tcp_port}/hook"
    stop.set()
    await asyncio.wait_for(serving, 10)


def _update(harness: Harness) -> dict[str, object]:
    message = harness.person().message(text="/start")
    update = Update(update_id=1, message=message)
    return update.model_dump(mode="json", exclude_unset=True)


async def test_the_webhook_takes_updates(webhook: tuple[Harness, str]) -> None:
    harness, url = webhook
    [call] = harness.session.sent(SetWebhook)
    assert call.url == "https://bot.example/hook"
    assert call.secret_token == SECRET
    assert set(call.allowed_updates or ()) == {"message", "callback_query"}
    assert not harness.session.sent(DeleteWebhook)

    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    async with (
        aiohttp.ClientSession() as web,
        web.post(url, json=_update(harness), headers=headers) as answer,
    ):
        assert answer.status == 200
    await harness.session.wait_for(SendMessage, "Hello")


@pytest.mark.parametrize("secret", [None, "", "wrong", "sécret-ёё", SECRET + "x"])
async def test_the_webhook_refuses_without_the_secret(
    webhook: tuple[Harness, str], secret: str | None
) -> None:
    harness, url = webhook
    headers = {} if secret is None else {"X-Telegram-Bot-Api-Secret-Token": secret}
    async with (
        aiohttp.ClientSession() as web,
        web.post(url, json=_update(harness), headers=headers) as answer,
    ):
        assert answer.status == 401
    # An accepted update is answered after any that came before: there was none.
    allowed = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    async with aiohttp.ClientSession() as web:
        await web.post(url, json=_update(harness), headers=allowed)
    await harness.session.wait_for(SendMessage, "Hello")
    assert len(harness.session.sent(SendMessage)) == 1


async def test_the_webhook_is_answered_once_the_job_is_accepted(
    webhook: tuple[Harness, str],
) -> None:
    harness, url = webhook
    arrived, accepted = asyncio.Event(), asyncio.Event()

    async def wait(context: object) -> None:
        arrived.set()
        await accepted.wait()

    harness.service.admit = wait
    update = Update(update_id=9, message=harness.person().message(voice=voice()))
    json = update.model_dump(mode="json", exclude_unset=True)
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    async with aiohttp.ClientSession(headers=headers) as web:
        posting = asyncio.create_task(web.post(url, json=json))
        await asyncio.wait_for(arrived.wait(), 10)
        assert not posting.done()
        accepted.set()
        assert (await asyncio.wait_for(posting, 10)).status == 200
        # Telegram sends it again where it has not seen the answer.
        assert (await web.post(url, json=json)).status == 200
    await harness.session.wait_for(SendPhoto)
    assert len(harness.service.transcriptions) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"update_id": "x"}', b"\xff", b"[" * 100_000]
)
async def test_the_webhook_refuses_what_is_no_update(
    webhook: tuple[Harness, str], body: bytes
) -> None:
    _, url = webhook
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    async with (
        aiohttp.ClientSession() as web,
        web.post(url, data=body, headers=headers) as answer,
    ):
        assert answer.status == 400
