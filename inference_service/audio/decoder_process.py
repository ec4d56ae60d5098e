"""The process of :mod:`inference_service.audio.decode_worker`, seen from outside.

Every file is decoded by a process of its own, which has seen no other file. As a new process takes
a tenth of a second to start, the next one is started in advance and waits for its file.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from types import TracebackType
from typing import Final, Self

from inference_service.audio.decode_worker import BLOCK_BYTES, HEADER, cpu_limit_s
from inference_service.audio.track import AudioLimits
from inference_service.errors import AudioUnreadable, DeadlineExceeded, Internal, QueueFull

_COMMAND: Final = (sys.executable, "-m", "inference_service.audio.decode_worker")
_MAX_MESSAGE_BYTES: Final = 4 * BLOCK_BYTES
"""Two channels, each longer than a block by less than a packet of 16 bits or FFmpeg's resampler."""

_READ_BYTES: Final = 2**20
_PIPE_BYTES: Final = 2**18
"""Linux grants a user 64 MiB of pipes; two of these for each of many files leave room."""

_POLL_S: Final = 0.1
_WALL_S: Final = 30.0
_WALL_S_PER_CPU_S: Final = 8.0
"""Many files are decoded at once, and each waits for the others."""

_RETRY_AFTER_S: Final = 10.0
_SECRETS: Final = ("NOTABOT_", "BOT_")
"""Prefixes of settings, which a process that reads untrusted files need not know."""


class DecoderProcess:
    """A process that decodes one file. As a context manager, it is killed at the end of the block.

    Raises
    ------
    QueueFull
        If this machine cannot start another process.
    """

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                pipesize=_PIPE_BYTES,
                env={k: v for k, v in os.environ.items() if not k.startswith(_SECRETS)},
                start_new_session=True,  # Ctrl-C is for us, who then end the process
            )
        except OSError as error:
            raise QueueFull(
                f"no process can be started: {error.strerror}", retry_after_s=_RETRY_AFTER_S
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def decode(
        self, data: bytes, limits: AudioLimits, wait: Callable[[], None]
    ) -> Iterator[tuple[bytes, memoryview]]:
        """Send a file and yield the kind and content of each message until the process ends.

        Parameters
        ----------
        data : bytes
        limits : AudioLimits
        wait : callable
            Called ten times a second; may raise to stop.

        Raises
        ------
        AudioUnreadable
            If the process exceeded its CPU time, or crashed.
        DeadlineExceeded
            If the process took too long, which on an idle machine it cannot.
        Internal
            If the process did not start, or sent something else than messages.
        """
        end_s = time.monotonic() + _WALL_S + _WALL_S_PER_CPU_S * cpu_limit_s(len(data))
        self._send(data, limits)
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        received = bytearray()
        while True:
            wait()
            if time.monotonic() > end_s:
                raise DeadlineExceeded("the file took too long to decode")
            if not poller.poll(_POLL_S * 1000):
                continue
            read = os.read(pipe, _READ_BYTES)
            if not read:
                break
            received += read
            yield from _split(received)
        self._check_end()

    def _send(self, data: bytes, limits: AudioLimits) -> None:
        assert self._process.stdin is not None
        header = json.dumps({"size_bytes": len(data), "limits": asdict(limits)}).encode()
        try:
            for part in (memoryview(header + b"\n"), memoryview(data)):
                while part:
                    part = part[self._process.stdin.write(part) :]
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # the process has died, which its exit status explains

    def _check_end(self) -> None:
        status = self._process.wait()
        if status < 0:
            raise AudioUnreadable(f"the decoder was ended by signal {-status}")
        if status > 0:
            raise Internal(f"the decoder ended with status {status}")


def _split(received: bytearray) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the whole messages, and remove them."""
    while len(received) >= HEADER.size:
        kind, size_bytes = HEADER.unpack_from(received)
        if size_bytes > _MAX_MESSAGE_BYTES:
            raise Internal(f"the decoder sent a message of {size_bytes} bytes")
        end = HEADER.size + size_bytes
        if len(received) < end:
            return
        content = memoryview(bytes(received[HEADER.size : end]))
        del received[:end]
        yield kind, content


class _Spare:
    """The process that waits for the next file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: DecoderProcess | None = None
        atexit.register(self.close)

    def take(self) -> DecoderProcess:
        """Return the waiting process, or a new one."""
        with self._lock:
            process, self._waiting = self._waiting, None
        if process is not None:
            if process.alive:
                return process
            process.close()
        return DecoderProcess()

    def fill(self) -> None:
        """Start the process for the next file, if none is waiting."""
        with self._lock:
            if self._waiting is None:
                self._waiting = DecoderProcess()

    def close(self) -> None:
        """End the waiting process."""
        with self._lock:
            process, self._waiting = self._waiting, None
        if process is not None:
            process.close()


SPARE: Final = _Spare()
