"""Keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["major", "minor"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key: a tonic such as ``"F#"`` or ``"Bb"``, and a mode."""

    tonic: str
    mode: Mode
