"""The pool of stages on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from inference_service.cluster.cluster import Cluster
from inference_service.cluster.needs import ROUTING
from inference_service.cluster.stages import RemoteRouter, RemoteStage
from inference_service.cluster.use_cases import RemoteUseCases
from inference_service.engine.catalog import ModelEntry
from inference_service.engine.registry import Loader
from inference_service.engine.service import UseCases
from inference_service.engine.stage_pool import StagePool
from inference_service.pipeline.stages import Component, Router, Task
from inference_service.settings import ClusterSettings


def spread(
    load: Loader,
    load_router: Callable[[], Router],
    build_use_cases: Callable[[], UseCases],
    settings: ClusterSettings,
    recipe: str,
) -> StagePool:
    """Return a pool whose stages and use cases run in replicas on a cluster.

    Parameters
    ----------
    load, load_router, build_use_cases : callable
        Called in each replica, to which they are sent.
    settings : ClusterSettings
    recipe : str
        Identifies the code and the settings of what is sent.
    """
    cluster = Cluster(settings, recipe)

    def load_remotely(task: Task, entry: ModelEntry) -> Component:
        # The name tells task and version, so that all gateways share what one has deployed.
        name = f"{task}-{entry.name}-{entry.version}"
        remote = cluster.deploy(name, task, partial(load, task, entry))
        return cast("Component", RemoteStage(remote))

    def load_router_remotely() -> Router:
        return RemoteRouter(cluster.deploy(ROUTING, ROUTING, load_router))

    return StagePool(
        load_remotely,
        load_router_remotely,
        RemoteUseCases(build_use_cases, cluster),
        settings.width,
        loads_at_once=len(Task),
    )
