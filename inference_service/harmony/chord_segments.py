"""From chord changes to segments that cover a recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from inference_service.music.events import NO_CHORD, ChordSegment

MIN_SEGMENT_S: Final = 1e-6


def build_segments(changes: Sequence[tuple[float, str]], duration_s: float) -> list[ChordSegment]:
    """Convert chord changes, sorted by time, to segments that cover ``[0, duration_s]``.

    There is no chord before the first change; equal neighbours are merged.
    """
    kept: list[tuple[float, str]] = [(0.0, NO_CHORD)]
    for start_s, label in changes:
        if start_s >= duration_s - MIN_SEGMENT_S:
            break
        if start_s <= kept[-1][0] + MIN_SEGMENT_S:
            kept[-1] = (kept[-1][0], label)
        elif label != kept[-1][1]:
            kept.append((start_s, label))
    ends = [*kept[1:], (duration_s, NO_CHORD)]
    return [
        ChordSegment(start_s, end_s, label)
        for (start_s, label), (end_s, _) in zip(kept, ends, strict=True)
    ]
