"""``notabot.v1.Models``: what administrators see and change."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeAlias

import grpc
from notabot.v1 import models_pb2, models_pb2_grpc

from inference_service.engine.service import Engine
from inference_service.server.convert.models import encode_model

_PAGE_BYTES: Final = 4096
_STATM: Final = Path("/proc/self/statm")

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class ModelsServicer(models_pb2_grpc.ModelsServicer):
    """Thin asynchronous methods over the registry.

    Parameters
    ----------
    engine : Engine
    device : str
        Name of the torch device.
    device_memory_bytes : callable
        Returns the number of bytes allocated there.
    versions : mapping of str to str
        Version of each package.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        device: str,
        device_memory_bytes: Callable[[], int],
        versions: Mapping[str, str],
    ) -> None:
        self._engine = engine
        self._device = device
        self._device_memory_bytes = device_memory_bytes
        self._versions = versions
        self._start_s = time.monotonic()

    async def List(  # noqa: N802
        self, request: models_pb2.ListRequest, context: Context
    ) -> models_pb2.ListResponse:
        """Return every model of the manifest."""
        models = [encode_model(status) for status in self._engine.registry.list_models()]
        return models_pb2.ListResponse(models=models)

    async def Activate(  # noqa: N802
        self, request: models_pb2.ActivateRequest, context: Context
    ) -> models_pb2.ActivateResponse:
        """Change a task's model."""
        status, previous = await self._engine.registry.activate(request.task, request.model)
        return models_pb2.ActivateResponse(model=encode_model(status), previous=previous)

    async def Status(  # noqa: N802
        self, request: models_pb2.StatusRequest, context: Context
    ) -> models_pb2.StatusResponse:
        """Return the state of the service."""
        engine = self._engine
        return models_pb2.StatusResponse(
            version=version("notabot"),
            device=self._device,
            memory_bytes=_resident_bytes(),
            device_memory_bytes=self._device_memory_bytes(),
            queue_length=engine.queue_length,
            queue_limit=engine.transcriptions.limit,
            busy=engine.busy,
            uptime_s=time.monotonic() - self._start_s,
            completed=engine.counters.completed,
            failed=engine.counters.failed,
            active=dict(engine.registry.active),
            versions=dict(self._versions),
            ready=engine.registry.ready,
        )


def _resident_bytes() -> int:
    """Resident memory of this process; 0 if the system does not report it."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
