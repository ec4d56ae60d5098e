"""What a Ray cluster adds to one song: seconds, and memory.

The same service, with the small stages of the tests, transcribes a song of three minutes in its own
process and with everything on a cluster of this machine. The stages compute little, so what differs
are calls, arrays on their way, and processes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from notabot.v1 import transcription_pb2 as pb
from structlog.testing import capture_logs

from deploy.planning.measure import cut
from tests.bench.table import Row
from tests.service.running import build_settings, drain, messages, run_service

_SONG_S: Final = 180.0
_TIMES: Final = 5
_CLUSTER: Final = {"address": "auto", "cpus": 0.1, "max_replicas": 1}


@dataclass(frozen=True, slots=True)
class _Run:
    """One service: seconds until all is loaded, those of a song, and bytes of its processes."""

    start_s: float
    song_s: float
    replicas: list[int]
    others: list[int]


def compare_song() -> Iterator[Row]:
    """Measure on the Ray of this process, which has ended afterwards."""
    song = cut("song", _SONG_S)
    alone = asyncio.run(_run(song, {}))
    cluster = asyncio.run(_run(song, _CLUSTER))
    yield Row("one song in one process, s", alone.song_s)
    yield Row("  on the cluster, s", cluster.song_s)
    yield Row("  added by the cluster, s", cluster.song_s - alone.song_s)
    yield Row("the cluster is deployed after, s", cluster.start_s)
    yield Row("  replicas", len(cluster.replicas))
    yield Row("  memory of each, MB", float(np.mean(cluster.replicas)) / 1e6)
    yield Row("  Ray's other processes, MB", sum(cluster.others) / 1e6)


async def _run(song: bytes, cluster: dict[str, Any]) -> _Run:
    """Start a service and send the song; the first time is not counted."""
    with TemporaryDirectory() as folder, capture_logs():
        begun_s = time.monotonic()
        async with run_service(build_settings(Path(folder), cluster=cluster)) as running:
            start_s = time.monotonic() - begun_s
            took_s = []
            for _ in range(1 + _TIMES):
                begun_s = time.monotonic()
                call = running.transcription.Transcribe(iter(messages(song, pb.PRESET_SONG)))
                await drain(call)
                took_s.append(time.monotonic() - begun_s)
            replicas: list[int] = []
            others: list[int] = []
            for pid in _find_children():
                with suppress(OSError):  # it has ended
                    (replicas if _is_replica(pid) else others).append(_count_bytes(pid))
    return _Run(start_s, float(np.median(took_s[1:])), replicas, others)


def _find_children() -> list[int]:
    """Return the processes that this one has started, and those that they have."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has ended
                status = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(status[1])
    found: list[int] = []
    generation = {os.getpid()}
    while generation:
        generation = {pid for pid, parent in parents.items() if parent in generation}
        found += generation
    return found


def _is_replica(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_text().startswith("ray::ServeReplica")


def _count_bytes(pid: int) -> int:
    """Return the memory of a process; what several share is divided among them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
