"""Converts written music to songs, each the longest stretch with beats of one note value.

A :class:`Score` has beats of a single note value. Music is therefore cut where this changes, and at
bars that do not last a whole number of beats, and the longest stretch is kept. Cut time is
converted to 4/4, as it is when transcribed from audio. Bars that are split by a repeat sign are
joined. Repeats are not unfolded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import Final

import numpy as np

from inference_service.music.events import NO_CHORD, Key
from inference_service.music.programs import PIANO, VOICE
from inference_service.music.score import (
    KeyChange,
    Score,
    ScoreChord,
    ScoreNote,
    ScorePart,
    TimeChange,
)
from model_zoo.training.continuation.song import LEAST_BARS, Song, one_at_a_time
from model_zoo.training.sources.scores import EPSILON_Q, QUARTERS_PER_S, WrittenPiece

GRID: Final = tuple(Fraction(text) for text in ("0", "1/4", "1/3", "1/2", "2/3", "3/4", "1"))
"""Positions in a beat at which notes of a melody may begin and end."""

_MOST_BEATS: Final = 15
_FINEST: Final = 24


@dataclass(frozen=True, slots=True)
class WrittenBar:
    """A bar: its position and actual length in quarters, and its time signature.

    ``number`` is the index of the bar in the file; for joined bars, that of the first.
    """

    number: int
    start_q: float
    length_q: float
    beats: int
    unit: int

    @property
    def stop_q(self) -> float:
        """End of the bar, in quarters."""
        return self.start_q + self.length_q

    @property
    def full_q(self) -> float:
        """Length by the time signature, in quarters."""
        return 4.0 * self.beats / self.unit

    @property
    def length_beats(self) -> Fraction:
        """Actual length in beats."""
        return Fraction(self.length_q * self.unit / 4).limit_denominator(_FINEST)

    @property
    def is_whole(self) -> bool:
        """Whether the bar lasts a whole number of beats, at most 15."""
        return self.length_beats.denominator == 1 and 0 < self.length_beats <= _MOST_BEATS


def list_bars(written: WrittenPiece) -> list[WrittenBar]:
    """Return the bars of a file, with 2/2 as 4/4, and bars split by a repeat joined."""
    starts = written.bar_start_q
    if not len(starts):
        return []
    last_q = 4.0 * written.bar_beats[-1] / written.bar_unit[-1]
    lengths = np.diff([*starts, starts[-1] + last_q])
    bars: list[WrittenBar] = []
    for number, (start_q, length_q) in enumerate(zip(starts, lengths, strict=True)):
        beats, unit = int(written.bar_beats[number]), int(written.bar_unit[number])
        if (beats, unit) == (2, 2):
            beats, unit = 4, 4
        bar = WrittenBar(number, float(start_q), float(length_q), beats, unit)
        before = bars[-1] if len(bars) > 1 else None
        if (
            before is not None
            and (before.beats, before.unit) == (beats, unit)
            and abs(before.length_q + bar.length_q - bar.full_q) < EPSILON_Q
        ):
            bars[-1] = replace(before, length_q=bar.full_q)
        else:
            bars.append(bar)
    return bars


def find_stretch(bars: Sequence[WrittenBar]) -> list[WrittenBar]:
    """Return the longest run of whole bars with one beat unit; it may begin with a pickup."""
    best: list[WrittenBar] = []
    run: list[WrittenBar] = []
    for bar in bars:
        opens = not run and bar.number == 0 and bar.length_q < bar.full_q - EPSILON_Q
        if run and run[-1].unit != bar.unit:
            run = []
        if not bar.is_whole and not opens:
            run = []
            continue
        run = [*run, bar]
        if len(run) > len(best):
            best = run
    return best


def write_down(
    name: str,
    corpus: str,
    written: WrittenPiece,
    chords: Sequence[tuple[float, str]],
    keys: Sequence[tuple[float, Key]],
    melody_part: int | None,
) -> Song | None:
    """Return the song; None if it has fewer than sixteen bars, or no chords.

    Parameters
    ----------
    chords : sequence of (float, str)
        Start in quarters and label of each, in order. They are moved to the nearest beat, from the
        middle between two to the later one.
    keys : sequence of (float, Key)
        Start in quarters and key, in order, at least one. They are moved to the nearest bar line.
    melody_part : int or None
        Index of the part with the melody.
    """
    bars = find_stretch(list_bars(written))
    if len(bars) < LEAST_BARS:
        return None
    pickup = Fraction(0)
    if bars[0].number == 0 and bars[0].length_q < bars[0].full_q - EPSILON_Q:
        pickup, bars = bars[0].length_beats, bars[1:]
    clock = _Clock(bars[0].start_q, bars[0].unit / 4, -pickup, bars[-1].stop_q)
    labels = _place_chords(chords, clock)
    if all(chord.label == NO_CHORD for chord in labels):
        return None
    parts = _write_parts(written, clock, melody_part)
    melody = [note for part in parts if part.id == "melody" for note in part.notes]
    key, changes = _place_keys(keys, bars, clock)
    score = Score(
        title=name,
        tempo_bpm=60.0 * QUARTERS_PER_S * clock.beats_per_q,
        time_signature=f"{bars[0].beats}/{bars[0].unit}",
        key=key,
        parts=parts,
        chords=labels,
        pickup_beats=pickup,
        time_changes=_find_time_changes(bars, clock),
        key_changes=changes,
    )
    return Song(name, corpus, score, one_at_a_time(melody))


@dataclass(frozen=True, slots=True)
class _Clock:
    """Converts quarters to beats in a stretch from beat ``first`` to ``stop_q`` quarters."""

    start_q: float
    beats_per_q: float
    first: Fraction
    stop_q: float

    def at(self, position_q: float) -> float:
        """The position in beats."""
        return (position_q - self.start_q) * self.beats_per_q

    def fraction(self, position_q: float) -> Fraction:
        """The position in beats, exactly."""
        return Fraction(self.at(position_q)).limit_denominator(_FINEST)

    @property
    def stop(self) -> Fraction:
        """The end, in beats."""
        return self.fraction(self.stop_q)


def snap(position_beats: float) -> Fraction:
    """Return the nearest position on :data:`GRID`."""
    beat = floor(position_beats)
    return beat + min(GRID, key=lambda place: abs(float(place) - (position_beats - beat)))


def _place_chords(chords: Sequence[tuple[float, str]], clock: _Clock) -> tuple[ScoreChord, ...]:
    """Return chords on beats; of several on one beat the last, of repeated ones the first."""
    labels: dict[Fraction, str] = {}
    for start_q, label in chords:
        if start_q < clock.stop_q - EPSILON_Q:
            nearest = floor(clock.at(start_q) + 0.5 + EPSILON_Q)
            labels[max(Fraction(nearest), clock.first)] = label
    placed: list[ScoreChord] = []
    for beat, label in sorted(labels.items()):
        if not placed or placed[-1].label != label:
            placed.append(ScoreChord(beat, label))
    return tuple(placed)


def _place_keys(
    keys: Sequence[tuple[float, Key]], bars: Sequence[WrittenBar], clock: _Clock
) -> tuple[Key, tuple[KeyChange, ...]]:
    """Return the key at the first bar line, and the changes after it."""
    in_force: dict[int, Key] = {}
    for start_q, key in keys:
        nearest = min(bars, key=lambda bar: abs(bar.start_q - start_q))
        in_force[int(clock.fraction(nearest.start_q))] = key
    first = in_force.pop(0)
    changes: list[KeyChange] = []
    for line, key in in_force.items():
        if key != (changes[-1].key if changes else first):
            changes.append(KeyChange(line, key))
    return first, tuple(changes)


def _find_time_changes(bars: Sequence[WrittenBar], clock: _Clock) -> tuple[TimeChange, ...]:
    changes = []
    in_force = bars[0].beats
    for bar in bars:
        if bar.length_beats != in_force:
            in_force = int(bar.length_beats)
            changes.append(TimeChange(int(clock.fraction(bar.start_q)), in_force))
    return tuple(changes)


def _write_parts(
    written: WrittenPiece, clock: _Clock, melody_part: int | None
) -> tuple[ScorePart, ...]:
    """Return the parts with notes, without grace notes."""
    parts = []
    for number, staves in enumerate(written.staves):
        sung = number == melody_part
        notes = []
        for index in np.flatnonzero((written.part == number) & ~written.grace):
            onset_q = float(written.onset_q[index])
            offset_q = min(onset_q + float(written.duration_q[index]), clock.stop_q)
            if offset_q <= onset_q or clock.fraction(onset_q) < clock.first:
                continue
            start, stop = clock.fraction(onset_q), clock.fraction(offset_q)
            if sung:
                start, stop = snap(clock.at(onset_q)), snap(clock.at(offset_q))
                stop = max(stop, start + Fraction(1, 3 if start.denominator == 3 else 4))
            pitch, staff = int(written.pitch[index]), min(int(written.staff[index]), 2)
            if stop > start:
                notes.append(ScoreNote(start, stop - start, pitch, staff=staff))
        if notes:
            identity = "melody" if sung else f"part{number + 1}"
            parts.append(
                ScorePart(
                    identity,
                    identity.capitalize(),
                    tuple(sorted(notes)),
                    VOICE if sung else PIANO,
                    staves=min(staves, 2),
                )
            )
    return tuple(parts)
