"""The service as a process of its own, and an honest person who uses it during an attack."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import grpc
from notabot.v1 import errors_pb2, transcription_pb2, transcription_pb2_grpc

from tests.attack.table import Row
from tests.factories import build_notes, build_scale, encode_audio
from tests.service.running import drain, messages, read_failure

DOCUMENTED: Final = {name for name, _ in errors_pb2.ErrorCode.items()}
CALL_TIMEOUT_S: Final = 120.0
WANTED_WAIT_S: Final = 3.0
"""For a second of singing, on the small models, whatever else goes on."""

_PAUSE_S: Final = 0.2
_FORMATS: Final = [transcription_pb2.FORMAT_JSON]


@cache
def sing() -> bytes:
    """Return a voice message of a second."""
    return encode_audio(build_notes(build_scale()[:2]).samples[0], "ogg-opus")


@dataclass
class Victim:
    """A running service."""

    process: subprocess.Popen[bytes]
    channel: grpc.aio.Channel
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        self.stub = transcription_pb2_grpc.TranscriptionStub(self.channel)  # type: ignore[no-untyped-call]

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    async def ready(self) -> None:
        """Wait until the service transcribes, and has imported what it needs."""
        assert (await self.send(sing(), wait_for_ready=True))[0] == "RESULT"

    async def send(self, data: bytes, **call: Any) -> tuple[str, Any]:
        """Send a recording; return ``RESULT`` and the result, or the error's code and None."""
        sent = messages(data, transcription_pb2.PRESET_VOICE, formats=_FORMATS)
        return await self._finish(self.stub.Transcribe(iter(sent), timeout=CALL_TIMEOUT_S, **call))

    async def render(self, result_id: str) -> tuple[str, Any]:
        """Press a button under a result."""
        request = transcription_pb2.RenderRequest(
            result_id=result_id, render=transcription_pb2.RenderOptions(formats=_FORMATS)
        )
        return await self._finish(self.stub.Render(request, timeout=CALL_TIMEOUT_S))

    async def _finish(self, call: Any) -> tuple[str, Any]:
        try:
            events = await drain(call)
        except grpc.aio.AioRpcError as error:
            try:
                return read_failure(error).reason, None
            except AssertionError:  # no details: not an error of the service's own
                return error.code().name, None
        results = [event.result for event in events if event.HasField("result")]
        return ("RESULT", results[0]) if len(results) == 1 else (f"{len(results)} RESULTS", None)

    def memory_mb(self) -> float:
        """Resident memory of the process and of those that it has started."""
        return sum(_resident_mb(pid) for pid in _family(self.process.pid))

    async def settled_mb(self) -> float:
        """Resident memory a moment after the last request."""
        await asyncio.sleep(1.0)
        return self.memory_mb()

    @contextmanager
    def limited(self, limit: int, value: int) -> Iterator[None]:
        """Lower a resource limit of the running process for the duration of the block."""
        before = resource.prlimit(self.process.pid, limit)
        resource.prlimit(self.process.pid, limit, (value, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.process.pid, limit, before)

    def threads(self) -> int:
        """Number of the process's threads."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def descriptors(self) -> int:
        """Number of the process's open file descriptors."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def _family(pid: int) -> list[int]:
    """Return a process and all that its threads have started."""
    family = [pid]
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                family += _family(int(child))
    return family


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 1e6


@asynccontextmanager
async def honest_person(victim: Victim, row: Row) -> AsyncIterator[None]:
    """Send a voice message after another during the block; a refusal is followed by another try."""
    ended = asyncio.Event()

    async def sing_on() -> None:
        while not ended.is_set():
            start_s = time.monotonic()
            while True:
                outcome, _ = await victim.send(sing())
                if outcome != "QUEUE_FULL":
                    break
                await asyncio.sleep(_PAUSE_S)
            row.longest_wait_s = max(row.longest_wait_s, time.monotonic() - start_s)
            row.lost += outcome != "RESULT"
            await asyncio.sleep(_PAUSE_S)

    singing = asyncio.create_task(sing_on())
    try:
        yield
    finally:
        ended.set()
        await singing


async def usual_wait_s(victim: Victim) -> float:
    """Return the wait for a voice message while nothing else goes on."""
    waits_s = []
    for _ in range(3):
        start_s = time.monotonic()
        await victim.send(sing())
        waits_s.append(time.monotonic() - start_s)
    return max(waits_s)
