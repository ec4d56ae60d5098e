"""Returns freed memory to the system after requests have ended.

The C library keeps what was freed for its own later use: after sixteen uploads of 19 MB that
failed, half a gigabyte. It gives it back when asked to, except from the top of the heaps that it
makes for further threads, of which there should therefore be none. It could also be told to
allocate every large block by itself, but tensors would then cost a system call and page faults
each.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

_DELAY_S: Final = 0.5


_M_ARENA_MAX: Final = -8
"""From glibc's ``malloc.h``."""


def use_one_heap() -> None:
    """Let all threads of this process share a heap; to be called before there are others."""
    mallopt = _find("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


@cache
def _find(name: str) -> Callable[..., int] | None:
    """Return a function of glibc; None on other systems."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


class Heap:
    """Trims the heap of the process a moment after it is asked to; used on the event loop."""

    def __init__(self) -> None:
        self._is_due = False

    def trim_soon(self) -> None:
        """Trim once, however often this is called within the next half second."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(_DELAY_S, self._trim)

    def _trim(self) -> None:
        self._is_due = False
        trim = _find("malloc_trim")
        if trim is not None:
            asyncio.get_running_loop().run_in_executor(None, trim, 0)
