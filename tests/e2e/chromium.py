"""Debian's Chromium, found or installed, and started without a screen."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]


def find_or_install_chromium() -> str | None:
    """Return Chromium's path; as root, Debian's package is installed first where it is missing."""
    path = _find()
    if path is None and shutil.which("apt-get") and os.geteuid() == 0:
        # apt refuses to run twice at a time: one worker installs, the others wait and find.
        with (Path(tempfile.gettempdir()) / "notabot-chromium.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = _find() or _install()
    return path


async def launch(playwright: Playwright, path: str) -> Browser:
    """Start Chromium headless, with a fake microphone and no traffic of its own."""
    return await playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)


def _find() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def _install() -> str | None:
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", "--quiet", *command], check=False, timeout=480)
    return _find()
