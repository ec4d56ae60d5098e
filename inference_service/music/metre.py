"""Time signatures, and the bars of a performance on its beats.

A notated beat is the note value that a signature's lower number names. Beat trackers count
compound metres (6/8, 9/8, 12/8) in dotted quarters instead, two to four a bar. :func:`align`
detects this and divides each such beat into three, so that all later code deals with notated beats
only.

Bars may differ in length: each begins at a beat with position 1. A bar with fewer or more beats
than the signature is written in a time signature of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor
from statistics import median
from typing import Final

from inference_service.music.events import Beat, Transcription
from inference_service.music.time import MIN_BEAT_S, BeatGrid

MAX_BEAT_S: Final = 8.0
"""Longest beat, in seconds. In a longer gap beats must be missing. MIDI's slowest beat is 16 s."""

_SIGNATURE: Final = re.compile(r"^\s*(\d{1,2})\s*/\s*(1|2|4|8|16|32)\s*$")


@dataclass(frozen=True, slots=True)
class TimeSignature:
    """A time signature: ``beats`` is its upper number, ``unit`` its lower."""

    beats: int
    unit: int

    @property
    def beat_quarters(self) -> Fraction:
        """A beat's length in quarter notes."""
        return Fraction(4, self.unit)

    @property
    def is_compound(self) -> bool:
        """Whether beats are grouped in threes: 6/8, 9/8, 12/8, 6/16 ..., also 6/4."""
        return self.beats % 3 == 0 and self.beats > 3

    @property
    def pulse_beats(self) -> int:
        """Beats in a pulse, what is tapped and what a metronome mark counts: 3 if compound."""
        return 3 if self.is_compound else 1

    def __str__(self) -> str:
        return f"{self.beats}/{self.unit}"


COMMON_TIME: Final = TimeSignature(4, 4)


def parse_time_signature(text: str) -> TimeSignature:
    """Parse a signature such as ``"6/8"``; any other text yields common time.

    >>> parse_time_signature("6/8")
    TimeSignature(beats=6, unit=8)
    """
    match = _SIGNATURE.match(text)
    if match is None or int(match.group(1)) == 0:
        return COMMON_TIME
    return TimeSignature(int(match.group(1)), int(match.group(2)))


@dataclass(frozen=True, slots=True)
class BarGrid:
    """The notated beats of a performance, and its bars.

    Attributes
    ----------
    grid : BeatGrid
        Map between seconds and notated beats.
    signature : TimeSignature
        Overall metre.
    downbeats : tuple of int
        Indices of the beats that begin a bar, ascending, never empty.
    tempo_bpm : float
        Notated beats per minute.
    beat_parts : int
        Notated beats in a beat of the performance: 3 if those are dotted, else 1.
    """

    grid: BeatGrid
    signature: TimeSignature
    downbeats: tuple[int, ...]
    tempo_bpm: float
    beat_parts: int = 1

    @property
    def pulse_bpm(self) -> float:
        """Pulses a minute: beats, or threes of them in compound metres."""
        return self.tempo_bpm / self.signature.pulse_beats

    def bar_starts(self, start_beats: float, stop_beats: float) -> list[int]:
        """Bar lines from the last one at or before ``start_beats`` to the first at or after
        ``stop_beats``, extrapolated by regular bars beyond the first and last downbeat.
        """
        length = self.signature.beats
        starts = list(self.downbeats)
        while starts[0] > start_beats:
            starts.insert(0, starts[0] - length)
        while starts[-1] < stop_beats:
            starts.append(starts[-1] + length)
        first = max(i for i, s in enumerate(starts) if i == 0 or s <= start_beats)
        last = next(i for i, s in enumerate(starts) if s >= stop_beats)
        return starts[first : max(last, first) + 1]

    def is_pickup(self, starts: Sequence[int], start_beats: float) -> bool:
        """Whether music that begins at ``start_beats`` has a pickup to the second of its bars.

        So it is if the first half of the first bar is empty, or the bar shorter than the metre
        requires. ``starts`` are from :meth:`bar_starts`.
        """
        if len(starts) <= 2:
            return False
        length = starts[1] - starts[0]
        sounding = starts[1] - floor(start_beats)
        return sounding * 2 <= length or length < self.signature.beats


def align(transcription: Transcription) -> BarGrid:
    """Return the notated beats and bars of a transcription."""
    signature = parse_time_signature(transcription.time_signature)
    beats = [b for b in transcription.beats if b.time_s >= 0]
    tempo_bpm = max(transcription.tempo_bpm, 1.0)
    grid = BeatGrid(_fill_gaps(beats), tempo_bpm, signature.beats)
    beat_parts = 1
    if signature.is_compound and _counts_in_threes(grid.beats, signature):
        grid = BeatGrid(_divide_into_thirds(grid.beats))
        beat_parts = 3
    downbeats = [i for i, beat in enumerate(grid.beats) if beat.position == 1]
    if len(downbeats) > len(grid.beats) / 2 and signature.beats > 1:
        downbeats = downbeats[:1]  # where most beats are downbeats, the tracker found no bars
    bar_lines = _split_long_bars(downbeats or [0], signature)
    return BarGrid(grid, signature, tuple(bar_lines), beat_parts * tempo_bpm, beat_parts)


def _fill_gaps(beats: Sequence[Beat]) -> list[Beat]:
    """Insert evenly spaced beats into gaps longer than ``MAX_BEAT_S``."""
    filled = list(beats[:1])
    for before, after in pairwise(beats):
        gap_s = after.time_s - before.time_s
        missing = int(gap_s // MAX_BEAT_S)
        filled.extend(
            Beat(before.time_s + gap_s * k / (missing + 1), 0) for k in range(1, missing + 1)
        )
        filled.append(after)
    return filled


def _counts_in_threes(beats: Sequence[Beat], signature: TimeSignature) -> bool:
    """Whether the beats of a compound metre are dotted ones, judged by the median bar."""
    lasts = [before.position for before, after in pairwise(beats) if after.position == 1]
    return median(lasts or [beat.position for beat in beats[-1:]]) <= signature.beats // 3


def _divide_into_thirds(beats: Sequence[Beat]) -> list[Beat]:
    """Divide every beat into three and number the parts through the bar."""
    thirds = []
    for before, after in pairwise(beats):
        third_s = max((after.time_s - before.time_s) / 3, MIN_BEAT_S)
        position = 3 * (before.position - 1) + 1
        thirds += [Beat(before.time_s + k * third_s, position + k) for k in range(3)]
    thirds.append(Beat(beats[-1].time_s, 3 * (beats[-1].position - 1) + 1))
    return thirds


def _split_long_bars(downbeats: Sequence[int], signature: TimeSignature) -> list[int]:
    """Add bar lines within gaps of two bars or more."""
    split = [downbeats[0]]
    for downbeat in downbeats[1:]:
        while downbeat - split[-1] >= 2 * signature.beats:
            split.append(split[-1] + signature.beats)
        split.append(downbeat)
    return split
