"""The practice page in WebKit, where it is installed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from statistics import median

import pytest
import pytest_asyncio

from tests.e2e.practice import BARS, STATIC, Practised, serve_practice
from tests.e2e.practice_page import LISTEN, REFUSE_OPUS
from tests.e2e.webkit import WebKit, find_webkit, launch_webkit

BROWSER = find_webkit()
TOLERANCE_S = 0.05

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(BROWSER is None, reason="no WebKit here: see tests/e2e/webkit.py"),
    pytest.mark.skipif(
        not (STATIC / "index.html").exists(), reason="the page is not built: make page"
    ),
]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def practised(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Practised]:
    """A page that can be opened."""
    async with serve_practice(tmp_path_factory.mktemp("practice")) as practised:
        yield practised


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def webkit() -> AsyncIterator[WebKit]:
    """A window."""
    assert BROWSER is not None
    async with launch_webkit(BROWSER) as webkit:
        yield webkit


@pytest.mark.parametrize("encoding", ["opus", "flac"])
async def test_the_clock_is_where_the_sound_is(
    webkit: WebKit, practised: Practised, encoding: str
) -> None:
    await webkit.open(practised.address())
    await webkit.until(
        f"() => document.querySelectorAll('g.measure').length === {BARS}",
    )
    if encoding == "flac":
        await webkit.evaluate(REFUSE_OPUS)
    await webkit.click(".play")
    await webkit.until("() => practice.player.heardQuarters() > 0.5")
    await webkit.evaluate(LISTEN, 0.12)
    await asyncio.sleep(2.5)
    heard_s = [seconds for seconds, _ in await webkit.evaluate("() => window.heard")]
    errors = [min(abs(seconds - onset) for onset in practised.onsets_s) for seconds in heard_s]
    assert len(errors) >= 3
    assert median(errors) <= TOLERANCE_S
    assert await webkit.evaluate("() => practice.player.encoding") == encoding
