"""How stages report progress and are cancelled."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

Report = Callable[[float], None]
"""Called by a stage with the completed fraction in [0, 1]; raises ``Cancelled`` to stop the stage.

Stages call it at least once a second, so that a cancelled request soon frees its place.
"""


class Stage(StrEnum):
    """The pipeline's stages, in the order of execution."""

    DECODE = "decode"
    TUNING = "tuning"
    ROUTING = "routing"
    SEPARATION = "separation"
    TAGGING = "tagging"
    CHORDS = "chords"
    KEY = "key"
    BEATS = "beats"
    CONTINUATION = "continuation"
    NOTATION = "notation"
    ENGRAVING = "engraving"


Progress = Callable[[Stage, float], None]
"""Called with a stage and its completed fraction; raises ``Cancelled`` to stop the request."""


def ignore(fraction: float) -> None:
    """A ``Report`` that does nothing, for callers without progress display or cancellation."""


def within(report: Report, start: float, stop: float) -> Report:
    """Return a ``Report`` for the part of a stage between two fractions."""
    return lambda fraction: report(start + (stop - start) * fraction)
