"""WebKit without a screen, driven by the W3C's WebDriver protocol: Debian's build for GTK.

Packages: ``webkit2gtk-driver xvfb gstreamer1.0-plugins-base gstreamer1.0-plugins-good``. They take
163 MB and a minute to install, so tests do not install them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

_DRIVER: Final = "WebKitWebDriver"
_SCREEN: Final = "Xvfb"
_BROWSERS: Final = "webkit2gtk-4.*/MiniBrowser"
_LIBRARIES: Final = (Path("/usr/lib"), Path("/usr/libexec"))
_PATIENCE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class WebKit:
    """A window.

    Parameters
    ----------
    web : aiohttp.ClientSession
        With the driver's address.
    path : str
        Of the driver's session.
    """

    web: aiohttp.ClientSession
    path: str

    async def open(self, url: str) -> None:
        """Load an address, even if it differs from the present one in its fragment alone."""
        for step in ("about:blank", url):
            await _call(self.web, "POST", f"{self.path}/url", {"url": step})

    async def evaluate(self, expression: str, argument: object = None) -> Any:
        """Return the value of a function's text, called with an argument; a promise is awaited."""
        script = (
            "const done = arguments[1];"
            f"Promise.resolve(({expression})(arguments[0])).then(done, (e) => done(String(e)));"
        )
        body = {"script": script, "args": [argument]}
        return await _call(self.web, "POST", f"{self.path}/execute/async", body)

    async def until(self, expression: str) -> None:
        """Wait until a function is true in the page."""
        async with asyncio.timeout(_PATIENCE_S):
            while not await self.evaluate(expression):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def click(self, selector: str) -> None:
        """Click an element, as a person does."""
        query = {"using": "css selector", "value": selector}
        [element] = (await _call(self.web, "POST", f"{self.path}/element", query)).values()
        await _call(self.web, "POST", f"{self.path}/element/{element}/click", {})


def find_webkit() -> Path | None:
    """Return the browser; None if it, its driver or a screen for it is missing."""
    if not (shutil.which(_DRIVER) and shutil.which(_SCREEN)):
        return None
    return next((path for folder in _LIBRARIES for path in folder.glob(f"**/{_BROWSERS}")), None)


@asynccontextmanager
async def launch_webkit(browser: Path) -> AsyncIterator[WebKit]:
    """Start WebKit on a screen of its own."""
    reading, writing = os.pipe()
    screen = await asyncio.create_subprocess_exec(
        *(_SCREEN, "-screen", "0", "1280x900x24", "-displayfd", str(writing)),
        pass_fds=[writing],
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            display = (await asyncio.to_thread(pipe.readline)).strip()
        async with _drive(display) as web:
            options = {"binary": str(browser), "args": ["--automation"]}
            wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
            session = await _call(web, "POST", "/session", {"capabilities": wanted})
            path = f"/session/{session['sessionId']}"
            try:
                yield WebKit(web, path)
            finally:
                await _call(web, "DELETE", path)
    finally:
        screen.terminate()
        await screen.wait()


@asynccontextmanager
async def _drive(display: str) -> AsyncIterator[aiohttp.ClientSession]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    driver = await asyncio.create_subprocess_exec(
        *(_DRIVER, f"--port={port}"),
        env=os.environ | {"DISPLAY": f":{display}", "GDK_BACKEND": "x11"},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as web:
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    try:
                        await _call(web, "GET", "/status")
                        break
                    except aiohttp.ClientConnectionError:
                        await asyncio.sleep(0.1)
            yield web
    finally:
        driver.terminate()
        await driver.wait()


async def _call(web: aiohttp.ClientSession, method: str, path: str, body: object = None) -> Any:
    async with web.request(method, path, json=body) as answer:
        value = (await answer.json())["value"]
        assert answer.status == 200, value
        return value
