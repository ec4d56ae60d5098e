"""Edits of single notes and chord symbols, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

STRICT: Final[Mapping[str, Any]] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""For pydantic, which reads corrections from JSON (:mod:`bot.practice.wire`)."""


class EditKind(StrEnum):
    """What an edit does; the names are those of the protocol's fields."""

    MOVE = "move"
    PITCH = "pitch"
    DURATION = "duration"
    DELETE = "delete"
    SPLIT = "split"
    JOIN = "join"
    ADD = "add"
    CHORD = "chord"
    DELETE_CHORD = "delete_chord"


class Spelling(StrEnum):
    """How a note that is foreign to its key is written."""

    RAISED = "raised"
    LOWERED = "lowered"


@dataclass(frozen=True, slots=True)
class ScoreEdit:
    """An edit; of the other fields, those that its kind has in the protocol are used.

    What they mean is said in ``transcription.proto``. The values 0, "" and None are left out.
    """

    __pydantic_config__: ClassVar = STRICT

    kind: EditKind
    note: str = ""
    steps: int = 0
    semitones: int = 0
    pitch: int = 0
    spelling: Spelling | None = None
    quarters: float = 0.0
    part: str = ""
    time_s: float = 0.0
    staff: int = 0
    text: str = ""
    label: str = ""
