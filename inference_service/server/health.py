"""The standard health service, kept truthful.

Transcription serves once its models are loaded and until the service drains; the whole (the empty
name) does what Transcription does. Models serves from the first moment, as administrators may
want to know why the rest does not.
"""

from __future__ import annotations

from typing import Final

from grpc_health.v1 import health, health_pb2
from notabot.v1 import models_pb2, transcription_pb2

TRANSCRIPTION: Final = transcription_pb2.DESCRIPTOR.services_by_name["Transcription"].full_name
MODELS: Final = models_pb2.DESCRIPTOR.services_by_name["Models"].full_name

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """What the service says of itself."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()

    async def begin(self) -> None:
        """Say that the service is up and its models are loading."""
        await self.servicer.set("", _NOT_SERVING)
        await self.servicer.set(TRANSCRIPTION, _NOT_SERVING)
        await self.servicer.set(MODELS, _SERVING)

    async def serve(self) -> None:
        """Say that everything works."""
        await self.servicer.set("", _SERVING)
        await self.servicer.set(TRANSCRIPTION, _SERVING)

    async def drain(self) -> None:
        """Say, for good, that nothing new is taken."""
        await self.servicer.enter_graceful_shutdown()
