"""Remembers what was made last: turning a page costs no more than drawing it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MAX_SCORES: Final = 8
"""A page takes about 60 kB, and a score has at most ``MAX_PAGES`` of ``notation/page.py``."""

T = TypeVar("T")


class Remembered(Generic[T]):
    """Values by what they are made from; the least recently used are forgotten.

    Parameters
    ----------
    limit : int
        Number of values.
    """

    def __init__(self, limit: int = MAX_SCORES) -> None:
        self._limit = limit
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, source: Hashable, make: Callable[[], T]) -> T:
        """Return what ``source`` makes; it is made if it is not remembered."""
        with self._lock:
            value = self._values.get(source)
        if value is None:
            value = make()
        with self._lock:
            self._values[source] = value
            self._values.move_to_end(source)
            while len(self._values) > self._limit:
                self._values.popitem(last=False)
        return value
