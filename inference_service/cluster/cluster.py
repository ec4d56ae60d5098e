"""A Ray cluster, and what is deployed there as applications of Ray Serve."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
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
from inference_service.cluster.uses import SharedUses
from inference_service.settings import ClusterSettings

_NAMESPACE: Final = "notabot"

RETIRE_AFTER_S: Final = 3600.0
"""Long enough to go back to the former version, or the former model."""

_SWEEP_S: Final = 60.0
_RECIPE_CHARS: Final = 8
_START_LIMIT_S: Final = 600.0
_POLL_S: Final = 0.2
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
    retire_after_s : float
        How long an application stays that no service uses.
    """

    def __init__(
        self, settings: ClusterSettings, recipe: str, retire_after_s: float = RETIRE_AFTER_S
    ) -> None:
        self._settings = settings
        self._recipe = recipe[:_RECIPE_CHARS]
        self._connecting = threading.Lock()
        # Serve changes a table of the process while it reads options: one thread at a time.
        self._asking = threading.Lock()
        self._looked_s = -math.inf
        self._statuses: dict[str, ApplicationStatus] = {}
        self._retire_after_s = retire_after_s
        self._left = threading.Event()
        self._uses: SharedUses | None = None
        self._found: set[str] = set()
        self._deployed: set[str] = set()

    def reach(self, name: str) -> Remote:
        """Return what is deployed under a name, or will be when it is called."""
        return Remote(f"{name}-{self._recipe}")

    def deploy(self, name: str, work: str, build: Callable[[], object]) -> Remote:
        """Deploy an object under a name, unless it is there; returns when a replica is ready.

        Several threads may deploy at once, each under its own name.

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
        uses = self._connect()
        # Noted first: what is in use is not deleted by a service that sweeps at this moment.
        self._deployed.add(name)
        uses.note([name], self._retire_after_s)
        if self._has_found(name):
            return remote
        if self._find_status(name) not in _THERE:
            self._submit(name, work, build)
        deadline_s = time.monotonic() + _START_LIMIT_S
        while (status := self._find_status(name)) is not ApplicationStatus.RUNNING:
            if status not in _THERE or time.monotonic() > deadline_s:
                raise RuntimeError(f"{name} is {'gone' if status is None else status.lower()}")
            time.sleep(_POLL_S)
        _log.info("deployed", application=name)
        return remote

    def find_problem(self) -> str:
        """Return why the cluster cannot work, or an empty text.

        Replicas that die are replaced, and others work meanwhile: that is none.
        """
        try:
            statuses = self._list_statuses()
        except RayError as error:
            return f"the cluster does not answer: {type(error).__name__}"
        failed = [
            name
            for name in tuple(self._deployed)
            if name in statuses and statuses[name] not in _THERE
        ]
        return f"{', '.join(sorted(failed))} cannot be deployed" if failed else ""

    def sweep(self) -> None:
        """Note what this service uses, and delete what no service has used for a while.

        Every service does so once a minute.
        """
        uses = self._connect()
        unused = uses.note(self._deployed, self._retire_after_s)
        for name in unused:
            serve.delete(name, _blocking=False)
            _log.info("retired", application=name)
        uses.forget(unused)

    def disconnect(self) -> None:
        """Leave the cluster; what is deployed there stays until it is swept."""
        self._left.set()
        ray.shutdown()

    def _connect(self) -> SharedUses:
        """Connect, unless that was done before."""
        with self._connecting:
            if self._uses is None:
                if not ray.is_initialized():
                    ray.init(self._settings.address, namespace=_NAMESPACE, log_to_driver=False)
                # Calls come through handles: no replica listens to HTTP.
                serve.start(proxy_location=ProxyLocation.Disabled)
                self._found = {
                    name
                    for name, status in self._list_statuses().items()
                    if status is ApplicationStatus.RUNNING
                }
                self._uses = SharedUses()
                threading.Thread(target=self._sweep_on, name="sweeper", daemon=True).start()
            return self._uses

    def _sweep_on(self) -> None:
        while not self._left.wait(_SWEEP_S):
            try:
                self.sweep()
            except Exception:  # next time, the cluster may be back
                _log.warning("not_swept", exc_info=True)

    def _has_found(self, name: str) -> bool:
        """Whether an application ran when this service connected.

        It is believed once only, since what runs may be deleted.
        """
        with self._connecting:
            if name not in self._found:
                return False
            self._found.remove(name)
            return True

    def _submit(self, name: str, work: str, build: Callable[[], object]) -> None:
        """Tell Serve what is to run, without waiting for it."""
        need = find_need(work, self._settings)
        with self._asking:
            deployment: Any = serve.deployment(name=name, **need.options())(Replica)
            application = deployment.bind(build, need.concurrency)
            serve.run_many(
                [serve.RunTarget(application, name, route_prefix=None)],
                wait_for_ingress_deployment_creation=False,
                wait_for_applications_running=False,
            )
            self._looked_s = -math.inf  # what was seen before knows nothing of it

    def _find_status(self, name: str) -> ApplicationStatus | None:
        return self._list_statuses().get(name)

    def _list_statuses(self) -> Mapping[str, ApplicationStatus]:
        """Return what runs; threads that wait look together."""
        with self._asking:
            if time.monotonic() - self._looked_s > _POLL_S / 2:
                applications = serve.status().applications
                self._statuses = {name: found.status for name, found in applications.items()}
                self._looked_s = time.monotonic()
            return self._statuses
