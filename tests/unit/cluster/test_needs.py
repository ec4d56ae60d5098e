"""What replicas need."""

from __future__ import annotations

import pytest

from inference_service.cluster.needs import CONDUCTING, ROUTING, WRITING, find_need
from inference_service.pipeline.stages import Task
from inference_service.settings import ClusterSettings

NETWORKS = [ROUTING, Task.SEPARATION, Task.SONG, Task.BEATS]


def build(**values: float) -> ClusterSettings:
    return ClusterSettings.model_validate(values)


@pytest.mark.parametrize("work", NETWORKS)
def test_a_replica_with_a_share_of_a_gpu_takes_several_calls(work: str) -> None:
    need = find_need(work, build(gpu_share=0.25, gpu_calls=4))
    assert (need.gpus, need.concurrency) == (0.25, 4)
    options = need.options()
    assert options["max_ongoing_requests"] == 4
    assert options["autoscaling_config"]["target_ongoing_requests"] == 4


@pytest.mark.parametrize("work", [*NETWORKS, WRITING, Task.RHYTHM])
def test_a_replica_without_one_takes_one(work: str) -> None:
    assert find_need(work, build(gpu_calls=4)).concurrency == 1


def test_what_needs_no_gpu_is_given_none() -> None:
    settings = build(gpu_share=0.5, gpu_calls=4)
    assert find_need(WRITING, settings).gpus == find_need(CONDUCTING, settings).gpus == 0.0
    assert find_need(WRITING, settings).concurrency == 1
