"""When which application on a cluster was last used, which the services there note together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any, Final

import ray

_NAME: Final = "uses"


class Uses:
    """Times of use, in an actor that outlives the services.

    If it dies with its machine, what nobody uses any more stays deployed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used_s: dict[str, float] = {}

    def note(self, used: Collection[str], max_age_s: float) -> list[str]:
        """Note what a service uses now; return what no service has used for the longest age."""
        now_s = self._clock()
        self._used_s.update(dict.fromkeys(used, now_s))
        return [name for name, used_s in self._used_s.items() if now_s - used_s > max_age_s]

    def forget(self, names: Collection[str]) -> None:
        """Forget applications that were deleted."""
        for name in names:
            self._used_s.pop(name, None)


class SharedUses:
    """The times of use that the services of a cluster share; the methods are those of ``Uses``."""

    def __init__(self) -> None:
        self._actor: Any = (
            ray.remote(Uses)
            .options(
                name=_NAME, lifetime="detached", get_if_exists=True, num_cpus=0, max_restarts=-1
            )
            .remote()
        )

    def note(self, used: Collection[str], max_age_s: float) -> list[str]:
        """Note what this service uses now; return what no service has used for the longest age."""
        unused: list[str] = ray.get(self._actor.note.remote(list(used), max_age_s))
        return unused

    def forget(self, names: Collection[str]) -> None:
        """Forget applications that were deleted."""
        ray.get(self._actor.forget.remote(list(names)))
