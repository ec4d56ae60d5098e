"""Estimate beats, bars and metre from performed notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference_service.music.alternatives import number_beat
from inference_service.music.corrections import FIRST_BEAT_STEPS
from inference_service.music.events import Beat, ChordSegment, Key, NoteEvent, Rhythm, Slip
from inference_service.music.metre import TimeSignature
from inference_service.music.pitch import pitch_class
from inference_service.rhythm.from_notes.bar_network import TICK, BarReader, describe_ticks
from inference_service.rhythm.from_notes.bars import Bars, find_bars
from inference_service.rhythm.from_notes.locate import locate
from inference_service.rhythm.from_notes.melody_bars import (
    SHARPNESS,
    Melody,
    MelodyBarReader,
    MelodyReading,
    spans_a_grid,
)
from inference_service.rhythm.from_notes.readings import compare, weigh
from inference_service.rhythm.from_notes.score_network import QUARTER_PARTS
from inference_service.rhythm.from_notes.score_reader import Reading
from inference_service.rhythm.from_notes.second_opinion import Ear, Opinion
from inference_service.rhythm.from_notes.steady_readings import list_steady
from inference_service.rhythm.from_notes.triplets import write_compound

ATTACK_WEIGHT: Final = 0.6
USUAL_ODDS: Final = 1.0
"""To the bar network's log odds of a bar line, ``ATTACK_WEIGHT`` times those of the score network
are added, after an offset of ``USUAL_ODDS``. These and the next ones were chosen on the tuning half
of ASAP (docs/notation.md)."""

HELD_OVER_COST: Final = 3.0
"""Cost of a bar line at which no note begins, so that notes are tied over it."""

SLOWEST_BPM: Final = 45.0
MOST_SHORTER: Final = 0.05
"""Music with slower beats is written in doubled values, unless at least this share of its steps is
shorter than a sixteenth."""

MIN_GAP_S: Final = 0.06
"""Least distance between two beats."""


class BarReaders(NamedTuple):
    """What finds bars in melodies, and in everything else, of which there is a second opinion."""

    melody: MelodyBarReader
    bars: BarReader
    ear: Ear


def estimate_rhythm(
    notes: Sequence[NoteEvent],
    reading: Reading,
    key: Key,
    readers: BarReaders,
    chords: Sequence[ChordSegment] = (),
) -> Rhythm | None:
    """Return the rhythm of notes; None for fewer than two attacks other than ornaments, or beats.

    Parameters
    ----------
    notes : sequence of NoteEvent
        Sorted by onset, then pitch.
    reading : Reading
        Predictions of the score network for these notes.
    key : Key
        Of the piece; melodies, with one note at a time, are read by their degrees in it.
    readers : BarReaders
    chords : sequence of ChordSegment
        None if they are not known.
    """
    main = find_main_attacks(reading)
    if len(main) < 2:
        return None
    onset_s = reading.attacks.onset_s[main]
    positions = locate(onset_s, reading.place[main], reading.interval[main], reading.tempo[main])
    if len(notes) == len(reading.attacks.onset_s) and spans_a_grid(positions):
        interval = reading.interval[main]
        melody = _build_melody([notes[index] for index in main], onset_s, positions, interval, key)
        readings = readers.melody.read(melody)
        rhythm = _time_rhythm(readings[0].bars, readings[0].positions, onset_s)
        if rhythm is not None:
            rhythm = replace(
                rhythm,
                readings=compare(readings, SHARPNESS, onset_s, rhythm.beats),
                slips=_time_slips(readings[0], onset_s, rhythm.beats),
            )
        return rhythm
    opinion = readers.ear.hear(notes, chords)
    if opinion.rhythm is not None:
        return opinion.rhythm
    rhythm = _build_rhythm(notes, reading, main, positions, readers.bars, opinion)
    steps = np.diff(np.unique(positions))
    if (
        rhythm is not None
        and rhythm.tempo_bpm < SLOWEST_BPM
        and np.mean(steps < QUARTER_PARTS // 4) < MOST_SHORTER
    ):
        rhythm = _build_rhythm(notes, reading, main, 2 * positions, readers.bars, opinion)
    return rhythm


def _build_rhythm(
    notes: Sequence[NoteEvent],
    reading: Reading,
    main: NDArray[np.intp],
    positions: NDArray[np.int64],
    bar_reader: BarReader,
    opinion: Opinion,
) -> Rhythm | None:
    """Return the rhythm of the attacks ``main``, given their written positions."""
    odds, metre = _predict_bars(notes, reading, main, positions, bar_reader)
    first_tick = int(positions[0]) // TICK
    odds = odds + opinion.odds_at(_time_ticks(len(odds), reading, main, positions))
    bars = find_bars(odds, metre, first_tick)
    onset_s = reading.attacks.onset_s[main]
    written, compound = write_compound(positions, bars)
    rhythm = _time_rhythm(compound, written, onset_s)
    if rhythm is None:
        return None
    readings = list_steady(odds, metre, first_tick, positions, bars)
    readings[0] = replace(readings[0], positions=written, bars=compound)
    return replace(rhythm, readings=weigh(readings, onset_s, rhythm.beats))


def _build_melody(
    notes: Sequence[NoteEvent],
    onset_s: NDArray[np.float64],
    positions: NDArray[np.int64],
    interval: NDArray[np.float64],
    key: Key,
) -> Melody:
    return Melody(
        onset_s=onset_s,
        duration_s=np.array([note.offset_s - note.onset_s for note in notes]),
        pitch=np.array([note.pitch for note in notes]),
        positions=positions,
        tonic=pitch_class(key.tonic),
        interval=interval,
    )


def _time_rhythm(
    bars: Bars, positions: NDArray[np.int64], onset_s: NDArray[np.float64]
) -> Rhythm | None:
    """Return the beats of the bars, timed by the attacks at written positions; None without two."""
    beats = _time_beats(bars, positions, onset_s)
    if len(beats) < 2:
        return None
    gaps = np.diff([beat.time_s for beat in beats])
    return Rhythm(
        beats=beats,
        tempo_bpm=60.0 / float(np.median(gaps)),
        time_signature=f"{bars.metre[0]}/{bars.metre[1]}",
    )


def _predict_bars(
    notes: Sequence[NoteEvent],
    reading: Reading,
    main: NDArray[np.intp],
    positions: NDArray[np.int64],
    bar_reader: BarReader,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Combine the predictions of both networks, as :func:`~.bars.find_bars` takes them."""
    first_tick = int(positions[0]) // TICK
    count = int(positions[-1]) // TICK - first_tick + 1
    located = np.full(len(reading.attacks.onset_s), -1)
    located[main] = positions - first_tick * TICK
    start = located[reading.attacks.index]
    written = (start >= 0) & (reading.extra <= 0)
    places, first = np.unique(positions, return_index=True)
    offsets = np.interp(
        [n.offset_s for n in notes],
        np.maximum.accumulate(reading.attacks.onset_s[main][first]),
        places,
    )
    lengths = (offsets - first_tick * TICK - start) / QUARTER_PARTS
    ticks = describe_ticks(
        start[written],
        np.maximum(lengths[written], 0.1),
        np.array([n.pitch for n in notes])[written],
        np.array([n.velocity for n in notes])[written],
        count,
    )
    odds, metre = bar_reader.read(ticks)
    downbeat = np.full(count, -np.inf)
    on_tick = located[main] % TICK == 0
    np.maximum.at(downbeat, located[main][on_tick] // TICK, reading.downbeat[main][on_tick])
    odds = odds + np.where(
        np.isfinite(downbeat), ATTACK_WEIGHT * (downbeat + USUAL_ODDS), -HELD_OVER_COST
    )
    return odds, metre


def _time_ticks(
    count: int, reading: Reading, main: NDArray[np.intp], positions: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the times of ``count`` ticks from that of the first attack on."""
    places, first = np.unique(positions, return_index=True)
    ticks = int(positions[0]) // TICK + np.arange(count)
    times_s = np.maximum.accumulate(reading.attacks.onset_s[main][first])
    return np.interp(ticks * TICK, places, times_s)


def find_main_attacks(reading: Reading) -> NDArray[np.intp]:
    """Return the indices of attacks with at least one note that is not an ornament."""
    best = np.full(len(reading.attacks.onset_s), np.inf)
    np.minimum.at(best, reading.attacks.index, reading.extra)
    return np.flatnonzero(best < 0)


def _time_slips(
    reading: MelodyReading, onset_s: NDArray[np.float64], beats: Sequence[Beat]
) -> tuple[Slip, ...]:
    """Return the slips of a reading on its beats, each from the first bar line after the note
    before it.
    """
    places, first = np.unique(reading.positions, return_index=True)
    beats_s = [beat.time_s for beat in beats]
    found = []
    for slip in reading.slips:
        before = int(reading.positions[max(slip.note - 1, 0)])
        line = next((line for line in reading.bars.lines[1:] if line > before), None)
        if line is not None:
            from_beat = number_beat(
                _time_at(line, places, onset_s[first]), beats_s, FIRST_BEAT_STEPS
            )
            beats_later = slip.parts / _measure_beat(reading.bars)
            found.append(Slip(from_beat, beats_later, slip.weight))
    return tuple(found)


def _measure_beat(bars: Bars) -> int:
    """Return the length of a beat, a dotted quarter in compound metres, in 24ths of a quarter."""
    beats, unit = bars.metre
    return 4 * QUARTER_PARTS // unit * TimeSignature(beats, unit).pulse_beats


def _time_beats(
    bars: Bars, positions: NDArray[np.int64], onset_s: NDArray[np.float64]
) -> tuple[Beat, ...]:
    """Return the times of the beats, which are dotted quarters in compound metres."""
    length = _measure_beat(bars)
    places, first = np.unique(positions, return_index=True)
    times_s = onset_s[first]
    found: list[Beat] = []
    for line, following in zip(bars.lines, bars.lines[1:], strict=False):
        for position, place in enumerate(range(line, following, length), start=1):
            if following - place < length // 2 and position > 1:
                continue  # the rest of an odd bar is too short for a beat
            time_s = _time_at(place, places, times_s)
            if time_s >= -MIN_GAP_S and (not found or time_s - found[-1].time_s >= MIN_GAP_S):
                found.append(Beat(max(time_s, 0.0), position))
    return tuple(found)


def _time_at(place: int, places: NDArray[np.int64], times_s: NDArray[np.float64]) -> float:
    """Interpolate times; beyond the ends, extrapolate at the tempo of the nearest 8 attacks."""
    if places[0] <= place <= places[-1] or len(places) < 2:
        return float(np.interp(place, places, times_s))
    near = slice(0, 8) if place < places[0] else slice(-8, None)
    span = max(int(places[near][-1] - places[near][0]), 1)
    pace_s = (times_s[near][-1] - times_s[near][0]) / span
    edge = 0 if place < places[0] else -1
    return float(times_s[edge] + (place - places[edge]) * pace_s)
