"""A ceiling on what FFmpeg may allocate at once.

A container's header may declare a table of a hundred million samples in a few bytes, and FFmpeg
would allocate and fill it before the first packet is read, where no limit of ours is checked. The
ceiling, with a bound on the number of streams, turns that into an ordinary error of decoding.
PyAV does not offer ``av_max_alloc``, so that it is called in the library that PyAV has loaded.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from pathlib import Path

import av


@functools.cache
def limit_allocations(max_bytes: int) -> bool:
    """Let no single allocation of FFmpeg's, in this whole process, be over ``max_bytes``.

    Returns
    -------
    bool
        False where PyAV's ``libavutil`` could not be found.
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
