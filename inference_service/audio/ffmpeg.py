"""A limit on the size of FFmpeg's allocations.

A container's header of a few bytes may declare a table of a hundred million samples. FFmpeg would
allocate and fill it before the first packet is read, and so before any of our limits is checked.
This limit, with one on the number of streams, turns such a file into an ordinary decoding error.
PyAV does not expose ``av_max_alloc``, so it is called in the library that PyAV has loaded.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from pathlib import Path

import av


@functools.cache
def limit_allocations(max_bytes: int) -> bool:
    """Limit every single allocation by FFmpeg in this process to ``max_bytes``.

    Returns
    -------
    bool
        False if PyAV's ``libavutil`` could not be found.
    """
    package = Path(av.__file__).parent
    bundled = [
        *package.parent.glob("av.libs/libavutil*"),  # wheels for Linux
        *package.glob(".dylibs/libavutil*"),  # and for macOS
    ]
    name = str(bundled[0]) if bundled else ctypes.util.find_library("avutil")
    if name is None:
        return False
    av_max_alloc = ctypes.CDLL(name).av_max_alloc
    av_max_alloc.argtypes, av_max_alloc.restype = [ctypes.c_size_t], None
    av_max_alloc(max_bytes)
    return True
