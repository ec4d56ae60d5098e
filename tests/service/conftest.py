"""Fixtures of the service's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from inference_service.settings import Settings
from tests.service.running import HeldPipeline, Running, build_settings, run_service


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a small service."""
    return build_settings(tmp_path, engine={"queue_size": 3, "drain_s": 0.2})


@pytest.fixture
def held(settings: Settings) -> HeldPipeline:
    """A pipeline that holds requests."""
    return HeldPipeline(settings)


@pytest.fixture
async def running(settings: Settings, held: HeldPipeline) -> AsyncIterator[Running]:
    """A service that holds requests."""
    async with run_service(settings, use_cases=held) as service:
        yield service
        held.release.set()


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Settings]:
    """Makes settings with groups of one's own."""

    def make(**groups: dict[str, Any]) -> Settings:
        return build_settings(tmp_path, **groups)

    return make
