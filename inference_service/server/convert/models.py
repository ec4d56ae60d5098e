"""Models and their states."""

from __future__ import annotations

from typing import Final

from notabot.v1 import models_pb2

from inference_service.engine.registry import ModelState, ModelStatus
from inference_service.server.convert.enums import by_number, protocol_name

_STATES: Final = by_number(ModelState, models_pb2.ModelState.Value)


def encode_model(status: ModelStatus) -> models_pb2.Model:
    """Write a model and its state."""
    return models_pb2.Model(
        task=status.task,
        name=status.entry.name,
        version=status.entry.version,
        licence=status.entry.licence,
        state=protocol_name(status.state),
        figures=dict(status.entry.figures),
        size_bytes=status.entry.size_bytes,
    )


def model_state(message: models_pb2.Model) -> ModelState:
    """Read a model's state."""
    return _STATES[message.state]
