"""Remembers the pages that were laid out last: turning to another costs no more than drawing it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MAX_SCORES: Final = 8
"""A page takes about 60 kB, and a score has at most ``MAX_PAGES`` of ``notation/page.py``."""

T = TypeVar("T")


class DrawnPages(Generic[T]):
    """The pages of scores by what they show; the least recently used are forgotten.

    Parameters
    ----------
    limit : int
        Number of scores.
    """

    def __init__(self, limit: int = MAX_SCORES) -> None:
        self._limit = limit
        self._pages: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, shown: Hashable, lay_out: Callable[[], T]) -> T:
        """Return the pages of ``shown``, which are laid out if they are not remembered."""
        with self._lock:
            pages = self._pages.get(shown)
        if pages is None:
            pages = lay_out()
        with self._lock:
            self._pages[shown] = pages
            self._pages.move_to_end(shown)
            while len(self._pages) > self._limit:
                self._pages.popitem(last=False)
        return pages
