"""The smallest fleet that keeps waits short, and what it costs.

A fleet is sized for the busiest hour of a Saturday. It begins with enough replicas of everything
that they are busy at most :data:`MAX_UTILISATION` of the time: an overloaded queue grows so slowly
that a simulation of minutes would not show it. Then it grows where jobs wait longest, until the
95th percentile of the waits, all queues of a job together, is at most the target and hardly
anything is refused. The figures that are reported come from recordings that were not drawn for the
sizing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from deploy.planning.demand import CHATS, HOUR_S, Recording, draw_recordings
from deploy.planning.queues import Fleet, Job, Outcome, Pool, simulate
from deploy.planning.work import (
    ANALYSIS,
    APART,
    DECODING,
    DEVICE,
    TRANSFER,
    WRITING,
    Gpu,
    StageTimes,
    Transfer,
    build_job,
)
from inference_service.settings import EngineSettings

TARGET_WAIT_S: Final = 20.0
PERCENTILE: Final = 95.0
MAX_REFUSED: Final = 0.001
MAX_UTILISATION: Final = 0.9
STEP: Final = 0.03
"""Growth of a pool at a time, as a share of its replicas."""

SIZED_ON: Final = 12_000
"""Expected number of recordings in a simulation."""

HOURS_A_MONTH: Final = 730.0


@dataclass(frozen=True, slots=True)
class Prices:
    """Assumed prices in US dollars, of the order of those of large clouds."""

    core_hour: float = 0.04
    gpu_hour: float = 1.2
    gigabyte_month: float = 0.023


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the replicas run on.

    Attributes
    ----------
    gpu : Gpu or None
        None: the networks run on CPU cores.
    batch : int
        Largest number of recordings that a device hears together.
    marginal : float
        See :class:`~deploy.planning.queues.Pool`; assumed.
    uploads : int
        Recordings that a bot passes on at once, ``BOT_MAX_UPLOADS``.
    gateway_places : int
        Requests that a gateway holds, ``NOTABOT_ENGINE_QUEUE_SIZE``.
    bot_cores, gateway_cores : float
        Assumed.
    """

    gpu: Gpu | None = None
    batch: int = 1
    marginal: float = 1.0
    uploads: int = 16
    gateway_places: int = EngineSettings().queue_size
    bot_cores: float = 0.5
    gateway_cores: float = 1.0


CORES: Final = Hardware()
GPUS: Final = Hardware(gpu=Gpu(), batch=4, marginal=0.6)


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many of what."""

    bots: int
    gateways: int
    decoding: int
    device: int
    analysis: int
    writing: int

    def build_fleet(self, hardware: Hardware) -> Fleet:
        """Return the fleet to simulate."""
        return Fleet(
            {
                TRANSFER: Pool(self.bots * hardware.uploads, patience=0.0),
                DECODING: Pool(self.decoding),
                DEVICE: Pool(self.device, hardware.batch, hardware.marginal),
                ANALYSIS: Pool(self.analysis),
                WRITING: Pool(self.writing),
            },
            self.gateways * hardware.gateway_places,
        )

    def cost_an_hour(self, hardware: Hardware, prices: Prices) -> float:
        """Return the price of the replicas, without storage and traffic."""
        cores = self.bots * hardware.bot_cores + self.gateways * hardware.gateway_cores
        cores += self.decoding + self.analysis + self.writing
        if hardware.gpu is None:
            return (cores + self.device) * prices.core_hour
        return cores * prices.core_hour + self.device * prices.gpu_hour


@dataclass(frozen=True, slots=True)
class Plan:
    """A fleet for an hour's load, and what a simulation of it showed."""

    songs_an_hour: float
    hardware: Hardware
    replicas: Replicas
    outcome: Outcome

    @property
    def wait_s(self) -> float:
        """The 95th percentile of the waits."""
        return _percentile(self.outcome)

    @property
    def answer_s(self) -> float:
        """The mean time from a recording to its score."""
        return float(self.outcome.answers_s.mean())


def draw_jobs(
    songs_an_hour: float,
    hardware: Hardware,
    times: StageTimes,
    seed: int,
    count: int = SIZED_ON,
) -> list[Job]:
    """Draw about ``count`` recordings of an hour that never ends, as jobs."""
    rng = np.random.default_rng(seed)
    span_s = count / songs_an_hour * HOUR_S
    recordings = draw_recordings([count], span_s, CHATS, rng)
    return build_jobs(recordings, hardware, times)


def build_jobs(recordings: Sequence[Recording], hardware: Hardware, times: StageTimes) -> list[Job]:
    """Return the ways of recordings through a fleet."""
    transfer = Transfer()
    return [build_job(recording, times, APART, hardware.gpu, transfer) for recording in recordings]


def size(
    songs_an_hour: float,
    hardware: Hardware,
    times: StageTimes,
    seed: int = 1,
    count: int = SIZED_ON,
) -> Plan:
    """Find the fleet for a load.

    Parameters
    ----------
    songs_an_hour : float
    hardware : Hardware
    times : StageTimes
    seed : int
        Of the recordings that the fleet is sized on; the next one's are those it is tried on.
    count : int
        Expected number of recordings.
    """
    jobs = draw_jobs(songs_an_hour, hardware, times, seed, count)
    replicas = _begin(songs_an_hour, jobs, hardware)
    while True:
        outcome = simulate(replicas.build_fleet(hardware), jobs)
        if outcome.refused > MAX_REFUSED:
            replicas = _grow(replicas, "gateways")
        elif _percentile(outcome) > TARGET_WAIT_S:
            replicas = _grow(replicas, max(outcome.waited_s, key=outcome.waited_s.__getitem__))
        else:
            break
    tried = draw_jobs(songs_an_hour, hardware, times, seed + 1, count)
    return Plan(songs_an_hour, hardware, replicas, simulate(replicas.build_fleet(hardware), tried))


def _begin(songs_an_hour: float, jobs: Sequence[Job], hardware: Hardware) -> Replicas:
    """Return the replicas that are as busy as they may be, rounded up."""
    totals_s: dict[str, float] = {}
    for job in jobs:
        for pool, seconds in job.work_s:
            totals_s[pool] = totals_s.get(pool, 0.0) + seconds
    full_s = MAX_UTILISATION * HOUR_S
    busy = {
        pool: total_s / len(jobs) * songs_an_hour / full_s for pool, total_s in totals_s.items()
    }
    together = 1 + hardware.marginal * (hardware.batch - 1)
    return Replicas(
        bots=math.ceil(busy[TRANSFER] / hardware.uploads),
        gateways=math.ceil(sum(busy.values()) / hardware.gateway_places),
        decoding=math.ceil(busy[DECODING]),
        device=math.ceil(busy[DEVICE] * together / hardware.batch),
        analysis=math.ceil(busy[ANALYSIS]),
        writing=math.ceil(busy[WRITING]),
    )


def _grow(replicas: Replicas, pool: str) -> Replicas:
    number: int = getattr(replicas, pool)
    more: Mapping[str, int] = {pool: number + max(1, round(STEP * number))}
    return replace(replicas, **more)


def _percentile(outcome: Outcome) -> float:
    return float(np.percentile(outcome.waits_s, PERCENTILE))
