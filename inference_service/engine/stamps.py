"""A clock for the times of files, which no setting of the system's clock moves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

_TICK_S: Final = 1e-3
"""Resolution of file times, on file systems that are in use."""


class StampClock:
    """A clock that continues from the newest file, and advances with the monotonic clock.

    The time during which no clock runs does not count.

    Parameters
    ----------
    stamps_s : sequence of float
        The times that the clock has given before.
    """

    def __init__(self, stamps_s: Sequence[float]) -> None:
        self._latest_s = max(stamps_s, default=0.0)
        start_s = min(time.time(), self._latest_s) if stamps_s else time.time()
        self._offset_s = start_s - time.monotonic()

    def now_s(self) -> float:
        """Return the time, in seconds since 1970 by the system's clock at the beginning."""
        return self._offset_s + time.monotonic()

    def stamp_s(self) -> float:
        """Return the time of a use, later than all others."""
        self._latest_s = max(self.now_s(), self._latest_s + _TICK_S)
        return self._latest_s
