"""What the replicas of each deployment need of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from inference_service.pipeline.stages import Task
from inference_service.settings import ClusterSettings

ROUTING: Final = "routing"
CONDUCTING: Final = "conducting"
WRITING: Final = "writing"

_LIGHT: Final = frozenset({Task.DENOISING, Task.PITCH, Task.KEY})
"""Done in milliseconds."""
_ON_DEVICE: Final = frozenset(
    {ROUTING, Task.SEPARATION, Task.VOICE, Task.PIANO, Task.SONG, Task.CHORDS, Task.BEATS}
)
"""Done by networks, on a GPU if replicas are given a share of one."""
_LIGHT_CPUS: Final = 0.1
_LIGHT_CALLS: Final = 8
"""Calls at once in a replica that is mostly idle: what is conducted waits for stages."""


@dataclass(frozen=True, slots=True)
class Need:
    """The needs of a deployment.

    Attributes
    ----------
    cpus, gpus : float
        Shares of a replica.
    concurrency : int
        Calls at once in a replica.
    max_replicas : int
    """

    cpus: float
    gpus: float
    concurrency: int
    max_replicas: int

    def options(self) -> dict[str, Any]:
        """Return the needs as options of a Serve deployment."""
        return {
            "ray_actor_options": {"num_cpus": self.cpus, "num_gpus": self.gpus},
            "max_ongoing_requests": self.concurrency,
            "autoscaling_config": {
                "min_replicas": 1,
                "max_replicas": self.max_replicas,
                "target_ongoing_requests": self.concurrency,
            },
            "graceful_shutdown_timeout_s": 10.0,
            "health_check_period_s": 2.0,
        }


def find_need(work: str, settings: ClusterSettings) -> Need:
    """Return the needs of a task, of the router, or of conducting or writing."""
    if work == CONDUCTING or work in _LIGHT:
        return Need(_LIGHT_CPUS, 0.0, _LIGHT_CALLS, settings.max_replicas)
    gpus = settings.gpu_share if work in _ON_DEVICE else 0.0
    return Need(settings.cpus, gpus, settings.gpu_calls if gpus else 1, settings.max_replicas)
