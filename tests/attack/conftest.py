"""Fixtures of the attacks, and their table."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.attack.programs import Programs
from tests.attack.table import Row, format_rows
from tests.attack.victim import WANTED_WAIT_S, Victim, usual_wait_s
from tests.bot.botapi import FakeTelegram
from tests.service.conftest import environment, start

__all__ = ["environment", "start"]

_ROWS: list[Row] = []


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    """The Bot API over HTTP."""
    async with FakeTelegram().serve() as fake:
        yield fake


@pytest.fixture
async def programs(tmp_path: Path, telegram: FakeTelegram) -> AsyncIterator[Programs]:
    """Both programs, running."""
    programs = Programs(tmp_path, telegram)
    try:
        await programs.start_service()
        await programs.start_bot()
        yield programs
    finally:
        await programs.stop()


@pytest.fixture
def in_full(request: pytest.FixtureRequest) -> bool:
    """Whether the attacks are run in full."""
    return bool(request.config.getoption("--attack"))


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """A row of the table, named after the test."""
    row = Row(request.node.name.removeprefix("test_").replace("_", " "))
    _ROWS.append(row)
    return row


@pytest.fixture
async def victim(
    start: Callable[..., Any],
    environment: dict[str, str],
) -> AsyncIterator[Victim]:
    """A service with the small models, warmed up."""
    process = start()
    async with grpc.aio.insecure_channel(environment["NOTABOT_SERVER_LISTEN"]) as channel:
        victim = Victim(process, channel)
        await victim.ready()
        yield victim


@pytest.fixture
async def longest_wait_s(victim: Victim, in_full: bool) -> float:
    """The wait that an honest person may have: what is wanted, or thrice the usual if longer.

    Any wait in small: other tests share the cores.
    """
    return max(WANTED_WAIT_S, 3 * await usual_wait_s(victim)) if in_full else math.inf


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    if _ROWS:
        terminalreporter.write_line("")
        terminalreporter.write_line(format_rows(_ROWS))
