"""Calls of an object in a replica: arguments, reports, errors, cancelling, dying replicas."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import ray
from ray import serve
from ray.exceptions import RayTaskError

from inference_service.cluster import calls
from inference_service.cluster.calls import Remote
from inference_service.cluster.cluster import Cluster
from inference_service.cluster.needs import WRITING
from inference_service.errors import AudioTooLong, Cancelled, QueueFull
from inference_service.pipeline.stages import Task
from inference_service.settings import ClusterSettings
from tests.unit.cluster.probe import Probe


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster") / "notes"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        # Ray lets all other programs pass its workers, which then take minutes to start.
        patch.setenv("RAY_worker_niceness", "0")
        context = ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100_000_000,
            log_to_driver=False,
            namespace="notabot",
        )
    assert context.address_info is not None
    address = context.address_info["gcs_address"]
    yield Cluster(ClusterSettings.model_validate({"address": address}), "recipe-of-the-tests")
    # Handles would report to the lost cluster on and on, from a thread of this process.
    serve.shutdown()
    ray.shutdown()


@pytest.fixture(scope="module")
def remote(cluster: Cluster, notes: Path) -> Remote:
    return cluster.deploy("probe", WRITING, partial(Probe, notes))


@pytest.fixture(autouse=True)
def _clear(notes: Path) -> None:
    notes.write_text("")


def _wait_for(notes: Path, text: str) -> None:
    while notes.read_text() != text:
        time.sleep(0.01)


def test_arrays_go_and_come_and_functions_are_called_here(remote: Remote) -> None:
    samples = np.arange(100_000, dtype=np.float32)
    fractions: list[float] = []
    assert (remote.call("double", samples, fractions.append) == samples * 2).all()
    assert fractions[-1] == 1.0  # of calls in quick succession, the latest


def test_our_errors_arrive_as_they_are(remote: Remote) -> None:
    with pytest.raises(AudioTooLong, match="too long") as caught:
        remote.call("fail")
    assert caught.value.params == {"limit_s": 900}


def test_a_mistake_is_not_repeated(remote: Remote, notes: Path) -> None:
    with pytest.raises(RayTaskError, match="a mistake"):
        remote.call("blunder")
    assert notes.read_text() == "b"


def test_what_is_raised_here_stops_the_work_there(remote: Remote, notes: Path) -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled("the caller went away")

    with pytest.raises(Cancelled):
        remote.call("wait", cancel)
    _wait_for(notes, "ws")


def test_two_threads_call_at_once(remote: Remote) -> None:
    results: list[float] = []

    def call(number: int) -> None:
        results.append(remote.call("double", np.float32(number), lambda _: None))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 2, 4, 6]


def test_a_call_whose_replica_dies_is_repeated(remote: Remote) -> None:
    assert remote.call("die", 1) == "d"


def test_one_that_always_kills_its_replica_is_given_up(
    remote: Remote, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "ATTEMPTS", 1)
    with pytest.raises(QueueFull, match="probe"):
        remote.call("die", 1)
    assert notes.read_text() == "d"


def test_what_is_deployed_is_shared_and_watched(cluster: Cluster, remote: Remote) -> None:
    def build() -> object:
        raise AssertionError("deployed twice")

    assert cluster.find_problem() == ""  # though the last replica is dead
    assert cluster.deploy("probe", WRITING, build).application == remote.application
    assert remote.call("double", np.float32(1), lambda _: None) == 2


def test_several_are_deployed_side_by_side(cluster: Cluster, notes: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        names = ("left", "middle", "right")
        remotes = list(
            pool.map(lambda name: cluster.deploy(name, Task.KEY, partial(Probe, notes)), names)
        )
    answers = [
        remote.call("double", np.float32(n), lambda _: None) for n, remote in enumerate(remotes)
    ]
    assert answers == [0, 2, 4]
    assert len({remote.application for remote in remotes}) == 3


def test_what_no_service_uses_any_more_is_deleted(cluster: Cluster, notes: Path) -> None:
    """It comes last, as it deletes what the other tests have deployed."""
    settings = ClusterSettings.model_validate({"address": "auto"})
    former = Cluster(settings, "former-1", retire_after_s=0.0)
    former.deploy("probe", Task.KEY, partial(Probe, notes))
    former.sweep()
    assert "probe-former-1" in serve.status().applications, "it is in use"
    later = Cluster(settings, "later--1", retire_after_s=0.0)
    later.sweep()
    while "probe-former-1" in serve.status().applications:
        time.sleep(0.1)
