"""How a stage says how far it is, and learns that nobody waits any more."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

Report = Callable[[float], None]
"""Called by a stage with its done fraction in [0, 1]; raises ``Cancelled`` to stop the stage.

A stage calls it at least once a second of work, so that a cancelled request frees its slot.
"""


class Stage(StrEnum):
    """The pipeline's stages, in the order in which a request passes them."""

    DECODE = "decode"
    TUNING = "tuning"
    ROUTING = "routing"
    SEPARATION = "separation"
    TAGGING = "tagging"
    CHORDS = "chords"
    BEATS = "beats"
    KEY = "key"
    CONTINUATION = "continuation"
    NOTATION = "notation"
    ENGRAVING = "engraving"


Progress = Callable[[Stage, float], None]
"""Called with a stage and its done fraction; raises ``Cancelled`` to stop the request."""


def ignore(fraction: float) -> None:
    """Take a stage's report and do nothing: for callers that neither wait nor cancel."""
