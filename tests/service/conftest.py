"""Fixtures of the service's tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_service.settings import Settings
from tests.service.running import HeldPipeline, Running, build_settings, free_port, run_service


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a small service."""
    return build_settings(tmp_path, engine={"queue_size": 3, "drain_s": 0.2})


@pytest.fixture
def held(settings: Settings) -> HeldPipeline:
    """A pipeline that holds each request until it is released."""
    return HeldPipeline(settings)


@pytest.fixture
async def running(settings: Settings, held: HeldPipeline) -> AsyncIterator[Running]:
    """A service that holds each request until the pipeline is released."""
    async with run_service(settings, use_cases=held) as service:
        yield service
        held.release.set()


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Settings]:
    """Returns a function that builds settings with the given groups."""

    def make(**groups: dict[str, Any]) -> Settings:
        return build_settings(tmp_path, **groups)

    return make


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Environment variables of a service in a separate process."""
    return {
        **os.environ,
        "NOTABOT_SERVER_LISTEN": f"127.0.0.1:{free_port()}",
        "NOTABOT_SERVER_METRICS_LISTEN": "off",
        "NOTABOT_MODELS_PROFILE": "tiny",
        "NOTABOT_MODELS_WEIGHTS": str(tmp_path / "weights"),
        "NOTABOT_CACHE_DIRECTORY": str(tmp_path / "results"),
        "NOTABOT_CACHE_REUSE": "false",
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Returns a function that starts a service as a process, which is killed after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(**more: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "inference_service", "serve"],
                env=environment | more,
                stderr=log,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
