"""A Ray cluster, and what is deployed there as applications of Ray Serve."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import ray
import structlog
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import ProxyLocation
from ray.serve.schema import ApplicationStatus

from inference_service.cluster.calls import Remote
from inference_service.cluster.needs import find_need
from inference_service.cluster.replica import Replica
from inference_service.settings import ClusterSettings

_NAMESPACE: Final = "notabot"

_RECIPE_CHARS: Final = 8
_START_LIMIT_S: Final = 600.0
_POLL_S: Final = 0.1
_THERE: Final = {
    ApplicationStatus.RUNNING,
    ApplicationStatus.DEPLOYING,
    ApplicationStatus.UNHEALTHY,
}
"""What runs, or will without being deployed again: while replicas die, it is unhealthy."""

_log = structlog.get_logger()


class Cluster:
    """A connection to a cluster, made on first use.

    Parameters
    ----------
    settings : ClusterSettings
    recipe : str
        Identifies the code and the settings of what is deployed. Services share what another one
        has deployed only if theirs are the same.
    """

    def __init__(self, settings: ClusterSettings, recipe: str) -> None:
        self._settings = settings
        self._recipe = recipe[:_RECIPE_CHARS]
        self._connecting = threading.Lock()
        self._found: set[str] | None = None
        self._deployed: set[str] = set()

    def reach(self, name: str) -> Remote:
        """Return what is deployed under a name, or will be when it is called."""
        return Remote(f"{name}-{self._recipe}")

    def deploy(self, name: str, work: str, build: Callable[[], object]) -> Remote:
        """Deploy an object under a name, unless it is there; returns when a replica is ready.

        Parameters
        ----------
        name : str
        work : str
            What it does, which determines what its replicas need.
        build : callable
            Builds the object in each replica.

        Raises
        ------
        ConnectionError
            If there is no cluster.
        RuntimeError
            If no replica could build the object.
        """
        remote = self.reach(name)
        name = remote.application
        self._deployed.add(name)
        if self._has_found(name):
            return remote
        if _find_status(name) not in _THERE:
            need = find_need(work, self._settings)
            deployment: Any = serve.deployment(name=name, **need.options())(Replica)
            application = deployment.bind(build, need.concurrency)
            serve.run(application, name=name, route_prefix=None)
            _log.info("deployed", application=name)
        deadline_s = time.monotonic() + _START_LIMIT_S
        while (status := _find_status(name)) is not ApplicationStatus.RUNNING:
            if status not in _THERE or time.monotonic() > deadline_s:
                raise RuntimeError(f"{name} is {'gone' if status is None else status.lower()}")
            time.sleep(_POLL_S)
        return remote

    def find_problem(self) -> str:
        """Return why the cluster cannot work, or an empty text.

        Replicas that die are replaced, and others work meanwhile: that is none.
        """
        try:
            applications = serve.status().applications
        except RayError as error:
            return f"the cluster does not answer: {type(error).__name__}"
        failed = [
            name
            for name in self._deployed
            if name in applications and applications[name].status not in _THERE
        ]
        return f"{', '.join(sorted(failed))} cannot be deployed" if failed else ""

    def disconnect(self) -> None:
        """Leave the cluster; what is deployed there stays."""
        ray.shutdown()

    def _has_found(self, name: str) -> bool:
        """Connect, unless that was done before; return whether an application ran at that time.

        It is believed once only, since what runs may be deleted.
        """
        with self._connecting:
            if self._found is None:
                if not ray.is_initialized():
                    ray.init(self._settings.address, namespace=_NAMESPACE, log_to_driver=False)
                # Calls come through handles: no replica listens to HTTP.
                serve.start(proxy_location=ProxyLocation.Disabled)
                applications = serve.status().applications.items()
                self._found = {
                    running
                    for running, found in applications
                    if found.status is ApplicationStatus.RUNNING
                }
            if name not in self._found:
                return False
            self._found.remove(name)
            return True


def _find_status(name: str) -> ApplicationStatus | None:
    application = serve.status().applications.get(name)
    return None if application is None else application.status
