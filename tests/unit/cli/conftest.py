"""Fixtures for tests of the command line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_service.server.app import Service
from tests.factories import build_notes, build_scale, encode_audio
from tests.service.running import build_settings, run_service


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the small stages and the test's own folders."""
    monkeypatch.setenv("NOTABOT_MODELS_PROFILE", "tiny")
    monkeypatch.setenv("NOTABOT_MODELS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A sung scale."""
    path = tmp_path / "Do re mi.wav"
    path.write_bytes(encode_audio(build_notes(build_scale()).samples, "wav"))
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of a service that runs in a thread and requires tokens."""
    tokens = {"token": "for-callers", "admin_token": "for-administrators"}
    settings = build_settings(tmp_path, server=tokens)
    started: list[Service] = []
    up = threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        async with run_service(settings) as running:
            started.append(running.service)
            up.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(10)
    yield f"127.0.0.1:{started[0].port}"
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()
