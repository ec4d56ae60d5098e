"""Enumerations of the service and of the protocol have the same members."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
from notabot.v1 import models_pb2, transcription_pb2

from inference_service.continuation.options import Style
from inference_service.engine.registry import ModelState
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import Format, Preset
from inference_service.progress import Stage
from inference_service.server.convert.enums import by_number, protocol_name

PAIRS = [
    (Preset, transcription_pb2.Preset),
    (View, transcription_pb2.View),
    (Paper, transcription_pb2.Paper),
    (Format, transcription_pb2.Format),
    (Style, transcription_pb2.Style),
    (Stage, transcription_pb2.Stage),
    (ModelState, models_pb2.ModelState),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_the_protocol_has_the_same_members(ours: type[Enum], theirs: Any) -> None:
    names = [name for name, _ in theirs.items() if not name.endswith("_UNSPECIFIED")]
    assert sorted(map(protocol_name, ours)) == sorted(names)


def test_a_member_that_the_protocol_lacks_is_noticed() -> None:
    class Preset(Enum):
        OPERA = "opera"

    with pytest.raises(ValueError, match="PRESET_OPERA"):
        by_number(Preset, transcription_pb2.Preset.Value)
