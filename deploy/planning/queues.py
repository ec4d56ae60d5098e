"""A fleet as a network of queues, simulated event by event with simpy.

A job holds one of the fleet's places from its arrival to its end; a job that finds none free is
refused, as by :class:`inference_service.engine.queue.Admission`. It visits pools of equal replicas
one after the other. A replica takes the waiting job that is due first, as
:class:`inference_service.engine.worker.Worker` does: a job is due ``patience`` times its own
seconds after it came. A replica that takes batches takes those that wait at that moment and waits
for no others, so that one job alone is no slower.

Times are in seconds from the start of the simulation. Nothing is random here: arrivals and service
times come with the jobs.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import numpy as np
import simpy
from numpy.typing import NDArray

from inference_service.engine.worker import PATIENCE

WARM_UP: Final = 0.1
"""Share of the jobs that are not counted, since they find an empty fleet."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Equal replicas behind one queue.

    Attributes
    ----------
    replicas : int
    batch : int
        Largest number of jobs that a replica takes together.
    marginal : float
        Share of its own seconds that each further job adds to a batch; the longest counts whole.
    patience : float
        0: first come, first served; the larger, the longer short jobs pass long ones.
    """

    replicas: int
    batch: int = 1
    marginal: float = 1.0
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Fleet:
    """Pools by name, and the places for jobs inside."""

    pools: Mapping[str, Pool]
    places: float = math.inf


@dataclass(frozen=True, slots=True)
class Job:
    """When a job arrives, and the seconds of its work in each pool, in order."""

    arrival_s: float
    work_s: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the counted jobs met with.

    Attributes
    ----------
    waits_s, answers_s : np.ndarray, shape (N,), float64
        For each counted job that was not refused, in order of arrival, the time in queues, and the
        time from arrival to end.
    refused : float
        Share of the counted jobs.
    utilisation : mapping
        Share of the time that the replicas of a pool were busy.
    waited_s : mapping
        Total time that counted jobs waited in a pool.
    inside : float
        Mean number of jobs inside over the whole simulation.
    duration_s : float
        Length of the simulation.
    """

    waits_s: NDArray[np.float64]
    answers_s: NDArray[np.float64]
    refused: float
    utilisation: Mapping[str, float]
    waited_s: Mapping[str, float]
    inside: float
    duration_s: float


def simulate(fleet: Fleet, jobs: Sequence[Job], warm_up: float = WARM_UP) -> Outcome:
    """Run all jobs, which are in order of arrival, through a fleet.

    Parameters
    ----------
    fleet : Fleet
    jobs : sequence of Job
    warm_up : float
        Share of the jobs, the first ones, that are not counted.

    Raises
    ------
    ValueError
        If there are no jobs.
    """
    if not jobs:
        raise ValueError("there are no jobs")
    return _Simulation(fleet, jobs, int(warm_up * len(jobs))).run()


@dataclass
class _Level:
    """A number that changes over time, and its integral."""

    env: simpy.Environment
    value: int = 0
    integral: float = 0.0
    _since_s: float = 0.0

    def add(self, change: int) -> None:
        self.integral += self.value * (self.env.now - self._since_s)
        self.value += change
        self._since_s = self.env.now


@dataclass(order=True, slots=True)
class _Waiting:
    """A job in a queue; the due time orders, then the order of arrival."""

    due_s: float
    number: int
    came_s: float = field(compare=False)
    seconds: float = field(compare=False)
    done: simpy.Event = field(compare=False)
    """Its value is how long the job waited."""


class _Queue:
    """A pool while it is simulated."""

    def __init__(self, env: simpy.Environment, pool: Pool) -> None:
        self._env = env
        self._pool = pool
        self._waiting = simpy.PriorityStore(env)
        self._numbers = count()
        self.busy = _Level(env)
        for _ in range(pool.replicas):
            env.process(self._serve())

    def submit(self, seconds: float) -> simpy.Event:
        """Queue a job; the event comes at its end, with the seconds that it waited."""
        now_s, done = self._env.now, self._env.event()
        due_s = now_s + self._pool.patience * seconds
        self._waiting.put(_Waiting(due_s, next(self._numbers), now_s, seconds, done))
        return done

    def _serve(self) -> Generator[simpy.Event, Any, None]:
        while True:
            batch: list[_Waiting] = [(yield self._waiting.get())]
            while len(batch) < self._pool.batch and self._waiting.items:
                batch.append((yield self._waiting.get()))
            began_s = self._env.now
            self.busy.add(1)
            yield self._env.timeout(self._together_s([job.seconds for job in batch]))
            self.busy.add(-1)
            for job in batch:
                job.done.succeed(began_s - job.came_s)

    def _together_s(self, works_s: Sequence[float]) -> float:
        longest_s = max(works_s)
        return longest_s + self._pool.marginal * (sum(works_s) - longest_s)


class _Simulation:
    """One run of jobs through a fleet."""

    def __init__(self, fleet: Fleet, jobs: Sequence[Job], counted_from: int) -> None:
        self._env = simpy.Environment()
        self._places = fleet.places
        self._queues = {name: _Queue(self._env, pool) for name, pool in fleet.pools.items()}
        self._pools = fleet.pools
        self._jobs = jobs
        self._counted_from = counted_from
        self._inside = _Level(self._env)
        self._left = len(jobs)
        self._over = self._env.event()
        self._waits_s = np.full(len(jobs), np.nan)
        self._answers_s = np.full(len(jobs), np.nan)  # stays for a refused job
        self._waited_s = dict.fromkeys(fleet.pools, 0.0)

    def run(self) -> Outcome:
        """Run until the last job has left."""
        self._env.process(self._arrive())
        self._env.run(self._over)
        self._inside.add(0)
        duration_s = self._env.now
        waits_s, answers_s = (
            values[self._counted_from :] for values in (self._waits_s, self._answers_s)
        )
        refused = np.isnan(answers_s)
        return Outcome(
            waits_s=waits_s[~refused],
            answers_s=answers_s[~refused],
            refused=float(refused.mean()),
            utilisation={
                name: queue.busy.integral / (duration_s * self._pools[name].replicas)
                for name, queue in self._queues.items()
            },
            waited_s=self._waited_s,
            inside=self._inside.integral / duration_s,
            duration_s=duration_s,
        )

    def _arrive(self) -> Generator[simpy.Event, Any, None]:
        for number, job in enumerate(self._jobs):
            yield self._env.timeout(job.arrival_s - self._env.now)
            if self._inside.value < self._places:
                self._inside.add(1)
                self._env.process(self._visit(number, job))
            else:
                self._leave()

    def _visit(self, number: int, job: Job) -> Generator[simpy.Event, Any, None]:
        total_s = 0.0
        for name, seconds in job.work_s:
            waited_s = yield self._queues[name].submit(seconds)
            total_s += waited_s
            if number >= self._counted_from:
                self._waited_s[name] += waited_s
        self._waits_s[number] = total_s
        self._answers_s[number] = self._env.now - job.arrival_s
        self._inside.add(-1)
        self._leave()

    def _leave(self) -> None:
        self._left -= 1
        if not self._left:
            self._over.succeed()
