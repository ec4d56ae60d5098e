"""Fleets that hold the target, and grow with the load."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest

from deploy.planning.queues import simulate
from deploy.planning.sizing import (
    CORES,
    GPUS,
    MAX_REFUSED,
    MAX_UTILISATION,
    TARGET_WAIT_S,
    Hardware,
    Prices,
    Replicas,
    draw_jobs,
    size,
)
from deploy.planning.work import StageTimes

TIMES = StageTimes.load()
COUNT = 3_000


@pytest.mark.parametrize("hardware", [CORES, GPUS], ids=["cores", "gpus"])
def test_the_fleet_holds_the_target_on_what_it_was_sized_on(hardware: Hardware) -> None:
    plan = size(600.0, hardware, TIMES, seed=3, count=COUNT)
    jobs = draw_jobs(600.0, hardware, TIMES, 3, COUNT)
    again = simulate(plan.replicas.build_fleet(hardware), jobs)
    assert replace(plan, outcome=again).wait_s <= TARGET_WAIT_S
    assert again.refused <= MAX_REFUSED
    assert max(plan.outcome.utilisation.values()) < MAX_UTILISATION + 0.05
    # And nearly on others.
    assert plan.wait_s < 2 * TARGET_WAIT_S


def test_a_larger_load_needs_more() -> None:
    few, many = (size(rate, CORES, TIMES, count=COUNT) for rate in (20.0, 2_000.0))
    assert all(a <= b for a, b in zip(astuple(few.replicas), astuple(many.replicas), strict=True))
    # Replicas that share a queue wait for each other, so less than a hundred times as many do.
    assert 3 * few.replicas.device < many.replicas.device < 100 * few.replicas.device


def test_the_same_seed_gives_the_same_plan() -> None:
    first, second = (size(300.0, GPUS, TIMES, seed=5, count=COUNT) for _ in range(2))
    assert (first.replicas, first.wait_s) == (second.replicas, second.wait_s)


def test_cores_and_gpus_have_their_prices() -> None:
    replicas = Replicas(bots=2, gateways=1, decoding=1, device=3, analysis=4, writing=1)
    prices = Prices(core_hour=1.0, gpu_hour=10.0)
    assert replicas.cost_an_hour(CORES, prices) == pytest.approx(2 * 0.5 + 1 + 9)
    assert replicas.cost_an_hour(GPUS, prices) == pytest.approx(2 * 0.5 + 1 + 6 + 30)
