"""Forgets what a failure holds on to.

An exception refers to its traceback, that to every frame which it went through, and a frame to its
variables: files, and often the exception itself or the task that holds it. Such a cycle lives until
Python's next full collection, which may be hours away.
"""

from __future__ import annotations

import traceback


def forget_frames(error: BaseException) -> None:
    """Clear the variables of the frames that an exception, its cause and context went through.

    Frames that are still running keep theirs.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        failure = waiting.pop()
        if failure is None or id(failure) in seen:
            continue
        seen.add(id(failure))
        traceback.clear_frames(failure.__traceback__)
        waiting += [failure.__cause__, failure.__context__]
