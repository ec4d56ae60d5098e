"""Impatience: what asks for the service's health as soon as it starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.attack.table import Row
from tests.service.test_health_and_drain import first_health

LIMIT_S = 2.0


@pytest.mark.attack
@pytest.mark.parametrize("profile", ["tiny", "cpu"])
async def test_the_first_health_check(
    start: Callable[..., Any], environment: dict[str, str], row: Row, profile: str
) -> None:
    """The longest wait is that from the start of the process to the first answer."""
    start_s = time.monotonic()
    start(NOTABOT_MODELS_PROFILE=profile)
    await first_health(environment["NOTABOT_SERVER_LISTEN"])
    row.longest_wait_s = time.monotonic() - start_s
    row.note(survived=row.longest_wait_s < LIMIT_S)
    assert row.survived == row.tried
