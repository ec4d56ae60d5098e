"""Beats, bars and metre from performed notes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import Beat, NoteEvent, Rhythm
from inference_service.rhythm.from_notes.bar_network import TICK, BarReader, describe_ticks
from inference_service.rhythm.from_notes.bars import Bars, find_bars
from inference_service.rhythm.from_notes.locate import locate
from inference_service.rhythm.from_notes.score_network import QUARTER_PARTS
from inference_service.rhythm.from_notes.score_reader import Reading

ATTACK_WEIGHT: Final = 0.6
USUAL_ODDS: Final = 1.0
"""What the first network adds to the second's log odds of a bar line: its own, over the usual."""

HELD_OVER_COST: Final = 3.0
"""Of a bar line at which nothing begins: what sounds there must be tied over it."""

SLOWEST_BPM: Final = 45.0
MOST_SHORTER: Final = 0.05
"""Music whose beats are slower is written in doubled values, unless it is full of short notes."""

MIN_GAP_S: Final = 0.06
"""Two beats are never nearer."""


def estimate_rhythm(
    notes: Sequence[NoteEvent], reading: Reading, bar_reader: BarReader
) -> Rhythm | None:
    """Return the rhythm that the notes were read in; None where fewer than two attacks tell."""
    main = find_main_attacks(reading)
    if len(main) < 2:
        return None
    onset_s = reading.attacks.onset_s[main]
    positions = locate(onset_s, reading.place[main], reading.interval[main], reading.tempo[main])
    rhythm = _beat(notes, reading, main, positions, bar_reader)
    steps = np.diff(np.unique(positions))
    if rhythm.tempo_bpm < SLOWEST_BPM and np.mean(steps < QUARTER_PARTS // 4) < MOST_SHORTER:
        rhythm = _beat(notes, reading, main, 2 * positions, bar_reader)
    return rhythm


def _beat(
    notes: Sequence[NoteEvent],
    reading: Reading,
    main: NDArray[np.intp],
    positions: NDArray[np.int64],
    bar_reader: BarReader,
) -> Rhythm:
    """Return the rhythm of the attacks ``main`` at written positions."""
    bars = _find_bars(notes, reading, main, positions, bar_reader)
    beats = _time_beats(bars, positions, reading.attacks.onset_s[main])
    gaps = np.diff([beat.time_s for beat in beats])
    return Rhythm(
        beats=beats,
        tempo_bpm=60.0 / float(np.median(gaps)),
        time_signature=f"{bars.metre[0]}/{bars.metre[1]}",
    )


def _find_bars(
    notes: Sequence[NoteEvent],
    reading: Reading,
    main: NDArray[np.intp],
    positions: NDArray[np.int64],
    bar_reader: BarReader,
) -> Bars:
    """Hear bars in the located music; both networks have a say."""
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
    heard = np.full(count, -np.inf)
    on_tick = located[main] % TICK == 0
    np.maximum.at(heard, located[main][on_tick] // TICK, reading.downbeat[main][on_tick])
    odds = odds + np.where(
        np.isfinite(heard), ATTACK_WEIGHT * (heard + USUAL_ODDS), -HELD_OVER_COST
    )
    return find_bars(odds, metre, first_tick)


def find_main_attacks(reading: Reading) -> NDArray[np.intp]:
    """Return the attacks that are more than ornaments."""
    best = np.full(len(reading.attacks.onset_s), np.inf)
    np.minimum.at(best, reading.attacks.index, reading.extra)
    return np.flatnonzero(best < 0)


def _time_beats(
    bars: Bars, positions: NDArray[np.int64], onset_s: NDArray[np.float64]
) -> tuple[Beat, ...]:
    """Lay beats, a dotted quarter each in compound metres, through the attacks."""
    beats, unit = bars.metre
    length = 4 * QUARTER_PARTS // unit * (3 if unit == 8 and beats % 3 == 0 else 1)
    places, first = np.unique(positions, return_index=True)
    times_s = onset_s[first]
    found: list[Beat] = []
    for line, following in zip(bars.lines, bars.lines[1:], strict=False):
        for position, place in enumerate(range(line, following, length), start=1):
            if following - place < length // 2 and position > 1:
                continue  # what is left of an odd bar is no beat of its own
            time_s = _time_at(place, places, times_s)
            if time_s >= -MIN_GAP_S and (not found or time_s - found[-1].time_s >= MIN_GAP_S):
                found.append(Beat(max(time_s, 0.0), position))
    return tuple(found)


def _time_at(place: int, places: NDArray[np.int64], times_s: NDArray[np.float64]) -> float:
    """Interpolate; beyond the ends, go on at the pace of the nearest eight attacks."""
    if places[0] <= place <= places[-1] or len(places) < 2:
        return float(np.interp(place, places, times_s))
    near = slice(0, 8) if place < places[0] else slice(-8, None)
    span = max(int(places[near][-1] - places[near][0]), 1)
    pace_s = (times_s[near][-1] - times_s[near][0]) / span
    edge = 0 if place < places[0] else -1
    return float(times_s[edge] + (place - places[edge]) * pace_s)
