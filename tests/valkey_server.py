"""A Valkey or Redis for tests: Debian's program, found or installed, on a socket in a folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

_NAMES = ("valkey-server", "redis-server")
_START_S = 10.0


def find_or_install_valkey() -> str | None:
    """Return the server's path; as root, Debian's package is installed first if it is missing."""
    path = _find()
    if path is None and shutil.which("apt-get") and os.geteuid() == 0:
        # apt refuses to run twice at a time: one worker installs, the others wait and find.
        with (Path(tempfile.gettempdir()) / "notabot-valkey.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = _find() or _install()
    return path


class ValkeyServer:
    """A server that can be stopped and started again; it keeps what it has been told.

    Parameters
    ----------
    program : str
    directory : Path
        Of its socket and its files.
    """

    def __init__(self, program: str, directory: Path) -> None:
        self._program = program
        self._directory = directory
        # The path of a socket must be short, and those of pytest's folders are not.
        self._sockets = tempfile.TemporaryDirectory(prefix="valkey")
        self._socket = Path(self._sockets.name) / "socket"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"unix://{self._socket}?db=0"

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                self._program,
                *("--port", "0", "--unixsocket", str(self._socket)),
                *("--dir", str(self._directory), "--appendonly", "yes", "--save", ""),
            ],
            stdout=subprocess.DEVNULL,
        )
        until_s = time.monotonic() + _START_S
        while not self._listens():
            if time.monotonic() > until_s or self._process.poll() is not None:
                raise RuntimeError("the server does not start")
            time.sleep(0.01)

    def _listens(self) -> bool:
        """Whether the server takes connections; its socket is there a moment earlier."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self._socket))
            except OSError:
                return False
        return True

    def stop(self) -> None:
        """End at once, as if the machine had failed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._socket.unlink(missing_ok=True)

    def close(self) -> None:
        """End for good."""
        self.stop()
        self._sockets.cleanup()


def _find() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def _install() -> str | None:
    for command in (
        ["update"],
        ["install", "--yes", "--no-install-recommends", "redis-server"],
    ):
        subprocess.run(["apt-get", "--quiet", *command], check=False, timeout=480)
    return _find()
