"""The simulator against closed forms of queueing theory, and what the service's queues do.

A mean over simulations must be within four standard errors of the closed form, and the standard
error within a few per cent of it, so that a wrong simulator fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from deploy.planning.queues import Fleet, Job, Outcome, Pool, simulate

SEEDS = range(10)
JOBS = 4_000
SERVICE_S = 1.0
FIRST_COME = 0.0
SHORTEST_FIRST = 1e9

Draw = Callable[[np.random.Generator, int], Sequence[float]]


def exponential(rng: np.random.Generator, count: int) -> Sequence[float]:
    return list(rng.exponential(SERVICE_S, count))


def constant(rng: np.random.Generator, count: int) -> Sequence[float]:
    return [SERVICE_S] * count


def poisson(load: float, draw: Draw, seed: int, count: int = JOBS) -> list[Job]:
    """Draw jobs for one pool, whose replicas together are ``load`` replicas busy."""
    rng = np.random.default_rng(seed)
    arrivals_s = np.cumsum(rng.exponential(SERVICE_S / load, count))
    works_s = draw(rng, count)
    return [Job(at, (("only", work_s),)) for at, work_s in zip(arrivals_s, works_s, strict=True)]


def run(pool: Pool, load: float, draw: Draw, places: float = math.inf) -> list[Outcome]:
    fleet = Fleet({"only": pool}, places)
    return [simulate(fleet, poisson(load, draw, seed)) for seed in SEEDS]


def assert_mean(values: Sequence[float], expected: float, precision: float = 0.08) -> None:
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert error < precision * expected
    assert abs(float(np.mean(values)) - expected) < 4 * error


def mean_waits(outcomes: Sequence[Outcome]) -> list[float]:
    return [float(outcome.waits_s.mean()) for outcome in outcomes]


def erlang_c(servers: int, load: float) -> float:
    """Return the probability that a job waits in an M/M/c queue."""
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


@pytest.mark.parametrize("load", [0.5, 0.7])
def test_one_exponential_server_waits_as_long_as_m_m_1(load: float) -> None:
    outcomes = run(Pool(1, patience=FIRST_COME), load, exponential)
    assert_mean(mean_waits(outcomes), load / (1 - load) * SERVICE_S)
    assert_mean([outcome.utilisation["only"] for outcome in outcomes], load)


@pytest.mark.parametrize(("servers", "load"), [(2, 1.5), (8, 5.6)])
def test_exponential_servers_wait_as_erlang_c_says(servers: int, load: float) -> None:
    outcomes = run(Pool(servers, patience=FIRST_COME), load, exponential)
    waits = erlang_c(servers, load)
    assert_mean([float((o.waits_s > 0).mean()) for o in outcomes], waits)
    assert_mean(mean_waits(outcomes), waits * SERVICE_S / (servers - load), 0.1)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_constant_work_waits_as_pollaczek_and_khinchine_say(load: float) -> None:
    outcomes = run(Pool(1), load, constant)
    assert_mean(mean_waits(outcomes), load * SERVICE_S / (2 * (1 - load)))


def test_a_full_fleet_refuses_as_m_m_1_k() -> None:
    load, places = 0.9, 4
    outcomes = run(Pool(1, patience=FIRST_COME), load, exponential, places)
    refused = (1 - load) * load**places / (1 - load ** (places + 1))
    assert_mean([outcome.refused for outcome in outcomes], refused)


def test_short_work_passes_long_work_as_cobham_says() -> None:
    """Two classes of constant work, of which the shorter has priority, but does not interrupt."""
    short_s, long_s, short_load, long_load = 0.5, 2.0, 0.3, 0.4
    rate = short_load / short_s + long_load / long_s

    def draw(rng: np.random.Generator, count: int) -> Sequence[float]:
        is_short = rng.random(count) < short_load / short_s / rate
        return list(np.where(is_short, short_s, long_s))

    fleet = Fleet({"only": Pool(1, patience=SHORTEST_FIRST)})
    outcomes = [simulate(fleet, poisson(SERVICE_S * rate, draw, seed)) for seed in SEEDS]
    residual_s = (short_load * short_s + long_load * long_s) / 2
    of_short = [o.waits_s[np.isclose(o.answers_s - o.waits_s, short_s)].mean() for o in outcomes]
    of_long = [o.waits_s[np.isclose(o.answers_s - o.waits_s, long_s)].mean() for o in outcomes]
    assert_mean(of_short, residual_s / (1 - short_load))
    assert_mean(of_long, residual_s / ((1 - short_load) * (1 - short_load - long_load)), 0.1)


def test_a_fleet_of_pools_keeps_littles_law() -> None:
    rng = np.random.default_rng(1)
    arrivals_s = np.cumsum(rng.exponential(1.0, JOBS))
    works_s = rng.exponential([0.7, 1.4], (JOBS, 2))
    jobs = [
        Job(at, (("first", first), ("second", second)))
        for at, (first, second) in zip(arrivals_s, works_s, strict=True)
    ]
    outcome = simulate(Fleet({"first": Pool(1), "second": Pool(2, batch=3, marginal=0.5)}), jobs)
    rate = JOBS / outcome.duration_s
    assert outcome.inside == pytest.approx(rate * outcome.answers_s.mean(), rel=0.05)


def test_jobs_are_taken_when_they_are_due() -> None:
    """Short work that comes within three times the length of long work passes it."""
    jobs = [
        Job(0.0, (("only", 5.0),)),
        Job(1.0, (("only", 4.0),)),  # due at 13
        Job(2.0, (("only", 1.0),)),  # due at 5: passes
        Job(4.5, (("only", 3.0),)),  # due at 13.5: does not
    ]
    outcome = simulate(Fleet({"only": Pool(1)}), jobs, warm_up=0.0)
    assert list(outcome.answers_s) == pytest.approx([5.0, 9.0, 4.0, 8.5])


def test_a_batch_takes_what_waits_and_no_more() -> None:
    batches = Pool(1, batch=3, marginal=0.5, patience=FIRST_COME)
    jobs = [Job(0.0, (("only", 2.0),))] + [Job(1.0, (("only", 2.0),))] * 4
    outcome = simulate(Fleet({"only": batches}), jobs, warm_up=0.0)
    # Alone for 2 s; then three together for 2 + 2 * 0.5 * 2 s; then the last one alone.
    assert list(outcome.answers_s) == pytest.approx([2.0, 5.0, 5.0, 5.0, 7.0])


def test_no_jobs_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="no jobs"):
        simulate(Fleet({"only": Pool(1)}), [])
