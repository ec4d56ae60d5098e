"""Many people with large recordings, all in vain: the bot is as small afterwards as before."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from notabot.v1 import transcription_pb2 as pb

from tests.attack.table import Row
from tests.bot.botapi import FakeTelegram
from tests.bot.service import Events, FakeService, RefusalError, serve
from tests.bot.telegram import TOKEN
from tests.conftest import ROOT

FILE_BYTES = 19_000_000
GROWTH_MB = 80.0
LIMIT_S = 900.0


class Refusing(FakeService):
    """A service that takes every recording, keeps none and refuses each."""

    async def Transcribe(self, request_iterator: Any, context: Any) -> Events:  # noqa: N802
        async for request in request_iterator:
            if request.HasField("options"):
                yield pb.TranscribeEvent(accepted=pb.Accepted(kept=True))
        await self.end(RefusalError(3, "AUDIO_SILENT"), context)


@pytest.fixture
async def bot(telegram: FakeTelegram, tmp_path: Path) -> AsyncIterator[int]:
    """The process id of a bot whose service refuses everything."""
    async with serve(Refusing()) as address:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}",
            "BOT_TOKEN": TOKEN,
            "BOT_API_SERVER": telegram.url,
            "BOT_SERVICE_ADDRESS": address,
            "BOT_STATE_PATH": str(tmp_path / "bot.sqlite3"),
        }
        with (tmp_path / "bot.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", cwd=tmp_path, env=environment, stderr=log
            )
        try:
            await telegram.wait_for(lambda: "getUpdates" in telegram.calls, 180)
            yield process.pid
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def round_of(telegram: FakeTelegram, people: range) -> None:
    """Let everyone send a recording, and wait for all the answers."""
    recording = bytes(FILE_BYTES)
    for person in people:
        await telegram.send_voice(person, recording)
    await telegram.wait_for(
        lambda: all(
            any("silent" in message.text for message in telegram.shown(person)) for person in people
        ),
        LIMIT_S,
    )
    telegram.messages.clear()


async def test_rounds_of_large_recordings(
    telegram: FakeTelegram, bot: int, row: Row, in_full: bool
) -> None:
    """The longest wait is that of a greeting in the midst of it."""
    await round_of(telegram, range(1000, 1004))
    row.before_mb = memory_mb(bot)
    people = 40 if in_full else 8
    for number in range(10 if in_full else 1):
        start = 2000 + 100 * number
        attack = asyncio.create_task(round_of(telegram, range(start, start + people)))
        await asyncio.sleep(0.5)
        asked_s = time.monotonic()
        await telegram.send(7, text="/start")
        await telegram.wait_for(
            lambda: any("Hello" in message.text for message in telegram.shown(7)), LIMIT_S
        )
        row.longest_wait_s = max(row.longest_wait_s, time.monotonic() - asked_s)
        await attack
        row.note(survived=True)
    row.after_mb = memory_mb(bot)
    assert row.grown_mb < GROWTH_MB
