"""The standard health service.

Transcription is SERVING from when its models are loaded until the service drains. The overall
status (the empty name) is that of Transcription. Models is SERVING from the start, so that
administrators can find out why Transcription is not.
"""

from __future__ import annotations

from typing import Final

from grpc_health.v1 import health, health_pb2
from notabot.v1 import jobs_pb2, models_pb2, transcription_pb2

TRANSCRIPTION: Final = transcription_pb2.DESCRIPTOR.services_by_name["Transcription"].full_name
JOBS: Final = jobs_pb2.DESCRIPTOR.services_by_name["Jobs"].full_name
MODELS: Final = models_pb2.DESCRIPTOR.services_by_name["Models"].full_name

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """The status of each service."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()

    async def begin(self) -> None:
        """Report that the service is up and its models are loading."""
        await self.servicer.set("", _NOT_SERVING)
        await self.servicer.set(TRANSCRIPTION, _NOT_SERVING)
        await self.servicer.set(MODELS, _SERVING)

    async def serve(self) -> None:
        """Report that every service is SERVING."""
        await self.servicer.set("", _SERVING)
        await self.servicer.set(TRANSCRIPTION, _SERVING)

    async def drain(self) -> None:
        """Report, for good, that no new request is accepted."""
        await self.servicer.enter_graceful_shutdown()
