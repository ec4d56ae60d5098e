"""Secrets and people's words stay out of the logs."""

from __future__ import annotations

import io
import json
import logging

import aiohttp
import pytest
import structlog
from aiogram.methods import GetFile
from aiogram.types import Audio
from yarl import URL

from bot.logs import configure_logging, redact
from tests.bot.conftest import Harness
from tests.bot.telegram import TOKEN


@pytest.fixture
def log(own_logging: None) -> io.StringIO:
    """Everything that is logged, as an operator sees it."""
    stream = io.StringIO()
    configure_logging("DEBUG", stream)
    return stream


def test_tokens_are_redacted_wherever_they_come_from(log: io.StringIO) -> None:
    url = URL(f"https://api.telegram.org/file/bot{TOKEN}/voice/1.oga")
    info = aiohttp.RequestInfo(url, "GET", None, url)  # type: ignore[arg-type]
    try:
        raise aiohttp.ClientResponseError(info, (), status=404)
    except aiohttp.ClientResponseError:
        logging.getLogger("aiohttp").exception("failed: %s", url)
        structlog.get_logger("bot").error("failed", url=str(url), exc_info=True)

    assert "api.telegram.org" in log.getvalue()
    assert TOKEN not in log.getvalue()
    assert TOKEN.split(":")[1] not in log.getvalue()


def test_redact() -> None:
    assert redact("/bot123456:AAbb-cc_ddAAbbccddAAbbccdd/x") == "/bot[token]/x"
    assert redact("at 12:30:45 in line 12345: something") == "at 12:30:45 in line 12345: something"


async def test_lines_carry_the_request_id_and_no_words(log: io.StringIO, harness: Harness) -> None:
    secret = Audio(
        file_id="f", file_unique_id="u", duration=5, title="TOPSECRET", file_name="TOPSECRET.mp3"
    )
    await harness.person().say("TOPSECRET")
    await harness.person().say(audio=secret, caption="TOPSECRET")
    harness.session.failures[GetFile].append(RuntimeError("unforeseen"))
    await harness.person().say_voice()

    assert "TOPSECRET" not in log.getvalue()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    jobs = [line for line in lines if line.get("event") == "job"]
    assert [job["outcome"] for job in jobs] == ["done", "INTERNAL"]
    assert jobs[-1]["request_id"] == harness.service.metadata["x-request-id"]
    assert len({line["request_id"] for line in lines if "request_id" in line}) == 3
