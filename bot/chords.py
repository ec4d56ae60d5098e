"""The chords that the service has named, grouped into bars."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from bot.client.types import Beat, ChordSegment

NO_CHORD: Final = "–"
"""Shown in a bar, or a part of it, where no chord sounds."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: where it starts, and the names of the chords in it, in order."""

    start_s: float
    chords: tuple[str, ...]


def opening(chords: Sequence[ChordSegment], count: int) -> list[str]:
    """The names of the first ``count`` chords, silence and repetitions left out."""
    return _without_repetitions(chord.text for chord in chords if chord.text)[:count]


def bars(chords: Sequence[ChordSegment], beats: Sequence[Beat]) -> list[Bar]:
    """The chords of each bar, from the chord that sounds on each of its beats.

    A beat's chord is the one that sounds in its middle, so that a change slightly after the beat
    still belongs to it. Beats before the first downbeat make a bar of their own. Empty without
    beats or chords.
    """
    if not beats or not chords:
        return []
    starts_s = [chord.start_s for chord in chords]
    last_beat_s = beats[-1].time_s - beats[-2].time_s if len(beats) > 1 else 0.5
    nexts_s = [*(beat.time_s for beat in beats[1:]), beats[-1].time_s + last_beat_s]

    def sounding(beat: Beat, next_s: float) -> str:
        index = bisect_right(starts_s, (beat.time_s + next_s) / 2) - 1
        return (chords[index].text if index >= 0 else "") or NO_CHORD

    written: list[Bar] = []
    names: list[str] = []
    start_s = beats[0].time_s
    for beat, next_s in zip(beats, nexts_s, strict=True):
        if beat.position == 1 and names:
            written.append(Bar(start_s, tuple(_without_repetitions(names))))
            names, start_s = [], beat.time_s
        names.append(sounding(beat, next_s))
    return [*written, Bar(start_s, tuple(_without_repetitions(names)))]


def _without_repetitions(names: Iterable[str]) -> list[str]:
    return [name for name, _ in groupby(names)]
