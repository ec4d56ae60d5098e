"""Where the work of requests is done: in this process, or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inference_service.engine.registry import Loader
from inference_service.engine.service import UseCases
from inference_service.pipeline.stages import Router


@dataclass(frozen=True, slots=True)
class StagePool:
    """Where stages run, and the use cases that call them.

    Attributes
    ----------
    load : Loader
    load_router : callable
        Builds the router; as ``load`` it may take long, and may raise.
    use_cases : UseCases
    width : int
        Number of transcriptions that run at once.
    loads_at_once : int
        Number of models that are loaded at once when the service starts. In one process, models
        that load side by side would compete for its cores and its memory.
    """

    load: Loader
    load_router: Callable[[], Router]
    use_cases: UseCases
    width: int = 1
    loads_at_once: int = 1
