"""Conversion between seconds and beats along the beats of a performance.

A :class:`BeatGrid` interpolates linearly between the detected beats. Before the first and after the
last it extrapolates at the tempo of the nearest interval. Beat 0 is the first detected beat,
whatever its position in the bar.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from inference_service.music.events import Beat

MIN_BEAT_S = 0.05
"""Shortest beat, in seconds (1200 bpm). Closer beats are taken to be one."""


class BeatGrid:
    """Piecewise-linear map between seconds and beats.

    Parameters
    ----------
    beats : sequence of Beat
        Beats in any order. Those closer than ``MIN_BEAT_S`` to their predecessor are dropped.
    fallback_bpm : float
        Tempo to use when fewer than two beats are given.
    beats_per_bar : int
        Beats per bar, to number the second beat when only one is given.
    """

    def __init__(
        self, beats: Sequence[Beat], fallback_bpm: float = 120.0, beats_per_bar: int = 4
    ) -> None:
        kept: list[Beat] = []
        for beat in sorted(beats):
            if not kept or beat.time_s - kept[-1].time_s >= MIN_BEAT_S:
                kept.append(beat)
        if not kept:
            kept = [Beat(0.0, 1)]
        if len(kept) == 1:
            only = kept[0]
            kept.append(Beat(only.time_s + 60.0 / fallback_bpm, only.position % beats_per_bar + 1))
        self.beats: tuple[Beat, ...] = tuple(kept)
        self._times_s = [beat.time_s for beat in kept]

    @property
    def tempo_bpm(self) -> float:
        """Median tempo in beats per minute."""
        return 60.0 / median(b - a for a, b in pairwise(self._times_s))

    def _segment(self, index: int) -> tuple[float, float]:
        """Start and length, in seconds, of the interval from beat ``index`` to the next."""
        index = min(max(index, 0), len(self._times_s) - 2)
        start_s = self._times_s[index]
        return start_s, self._times_s[index + 1] - start_s

    def to_beats(self, time_s: float) -> float:
        """Convert a time in seconds to a position in beats."""
        index = min(max(bisect_right(self._times_s, time_s) - 1, 0), len(self._times_s) - 2)
        start_s, period_s = self._segment(index)
        return index + (time_s - start_s) / period_s

    def to_seconds(self, position_beats: float) -> float:
        """Convert a position in beats to a time in seconds."""
        index = min(max(int(position_beats // 1), 0), len(self._times_s) - 2)
        start_s, period_s = self._segment(index)
        return start_s + (position_beats - index) * period_s
