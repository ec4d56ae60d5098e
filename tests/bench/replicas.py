"""What replicas on a Ray cluster do in a second, and whether their waits are foretold.

A real Ray on this machine, and replicas that sleep as long as stages were measured to take. Sleeps
need no core, so many replicas fit on a small machine: its number of cores is made up.

The waits are those of a service whose recordings are heard by the replicas, and which writes in its
own process, as in :mod:`tests.bench.planned_waits`. In the end, one song goes all the way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

import ray
from ray import serve

from deploy.planning.work import DEVICE, ONE_PROCESS, StageTimes
from inference_service.cluster.calls import Remote
from inference_service.cluster.replica import Replica
from inference_service.progress import Progress, Stage
from tests.bench.cluster_song import compare_song
from tests.bench.planned_waits import measure, sleep
from tests.bench.table import Row

TITLE = "Replicas on a Ray cluster"
REPLICAS: Final = (1, 2, 4, 8)
TARGET: Final = 0.9
"""Least throughput, as a share of that of the first number of replicas times their number."""

_APPLICATION: Final = "sleeping"
_SONG_S: Final = 10.0
_SONGS: Final = 6
"""For each replica."""

_WAITING: Final = 4
"""Number of replicas whose waits are compared with simulated ones."""

_FASTER: Final = 8.0
_LOADS: Final = (0.6, 0.9)
_RECORDINGS: Final = 60
_CPUS: Final = 64
_RAY: Final = {"RAY_enable_worker_prestart": "0", "RAY_worker_niceness": "0"}
"""Without them, Ray starts a process for each core at first, and lets every other program of the
machine pass its workers (niceness 15)."""


class Sleeper:
    """A stage without work."""

    def sleep(self, stages_s: Mapping[Stage, float], progress: Progress) -> None:
        """Sleep for the seconds of some stages."""
        sleep(stages_s, progress)


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure throughput with sleeps of the measured length, then waits with shorter ones."""
    seconds = StageTimes.load().seconds("song", _SONG_S)
    song_s = {stage: s for stage, s in seconds.items() if ONE_PROCESS[stage] == DEVICE}
    with _cluster():
        yield from _measure_throughput(REPLICAS, song_s, _SONGS, TARGET)
        hear = partial(_deploy(_WAITING).call, "sleep")
        for load in _LOADS:
            yield from measure(load, _RECORDINGS, _FASTER, None, hear, _WAITING)
        serve.delete(_APPLICATION)
        yield from compare_song()


def smoke() -> Iterator[Row]:
    """Measure one and two replicas, for seconds: no target."""
    with _cluster():
        yield from _measure_throughput((1, 2), {Stage.TAGGING: 0.2}, 3, None)


def _measure_throughput(
    numbers: tuple[int, ...], song_s: Mapping[Stage, float], songs: int, target: float | None
) -> Iterator[Row]:
    one_s = 0.0
    for replicas in numbers:
        remote = _deploy(replicas)
        # Twice as many callers as replicas, so that none has to wait for work.
        with ThreadPoolExecutor(2 * replicas) as callers:
            _hear_all(callers, remote, [song_s] * replicas)  # connects
            begun_s = time.monotonic()
            _hear_all(callers, remote, [song_s] * songs * replicas)
            each_s = (time.monotonic() - begun_s) / songs
        one_s = one_s or each_s
        yield Row(
            f"{replicas} replica{'s' * (replicas > 1)}: songs a minute", 60 * replicas / each_s
        )
        yield Row("  share of linear", one_s / each_s, target)
        yield Row("  share of what sleeps alone allow", sum(song_s.values()) / each_s)


def _hear_all(callers: Executor, remote: Remote, songs_s: list[Mapping[Stage, float]]) -> None:
    list(callers.map(lambda song_s: remote.call("sleep", song_s, _ignore), songs_s))


def _ignore(stage: Stage, fraction: float) -> None:
    pass


def _deploy(replicas: int) -> Remote:
    """Have a number of replicas; those that are there stay."""
    deployment: Any = serve.deployment(
        name=_APPLICATION,
        num_replicas=replicas,
        max_ongoing_requests=1,
        ray_actor_options={"num_cpus": 1},
    )(Replica)
    deployment._version = "1"  # else the replicas would be exchanged
    serve.run(deployment.bind(Sleeper, 1), name=_APPLICATION, route_prefix=None)
    return Remote(_APPLICATION)


@contextmanager
def _cluster() -> Iterator[None]:
    with mock.patch.dict(os.environ, _RAY):
        ray.init(
            num_cpus=_CPUS,
            include_dashboard=False,
            object_store_memory=1_000_000_000,
            log_to_driver=False,
            namespace="notabot",
        )
    try:
        serve.start(proxy_location="Disabled")
        yield
    finally:
        if ray.is_initialized():
            serve.shutdown()
            ray.shutdown()
