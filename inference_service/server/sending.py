"""Sends the events of a request over its call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc

from inference_service.engine.service import Rendered
from inference_service.engine.worker import Update
from inference_service.server.convert.events import encode_artifact, encode_result, encode_update

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


async def send(events: AsyncIterator[Update | Rendered], context: Context) -> None:
    """Send updates as they come, then the files in chunks and the result."""
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            if not isinstance(event, Rendered):
                await context.write(encode_update(event))
                continue
            for artifact in event.artifacts:
                for chunk in encode_artifact(artifact):
                    await context.write(chunk)
            await context.write(encode_result(event))
