"""Accompany new bars in the texture of the given ones.

The pattern of a bar is what its parts play, relative to its harmony: each note has a position, a
length, and a chord tone that it is or lies next to. Under a new chord, the lowest note keeps its
kind of chord tone, so that a bass continues on roots. The notes above it go to the nearest tones of
the new chord in the same order, as in voice leading. Block chords thus stay block chords, and
arpeggios stay arpeggios. New bars take the patterns of the last given bars in turn. A bar with
several chords takes the pattern of a given bar with as many, if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final, NamedTuple

from inference_service.continuation.analysis import PHRASE_BARS, Analysis, find_harmony
from inference_service.continuation.harmony import Slots
from inference_service.continuation.melody import TICKS
from inference_service.continuation.scale import Harmony, Ladder
from inference_service.music.score import ScoreNote, ScorePart

PATTERN_BARS: Final = 5
"""Number of given bars from which patterns are taken."""
_LOWEST, _HIGHEST = 21, 108

# Costs of voice leading, in semitones. Set by hand; not fitted.
_THIRD: Final = 4
"""Cost per voice of a chord without its third."""

_UNDER: Final = 24
"""Cost of crossing below the bass."""


class _Change(NamedTuple):
    """An old and a new chord, and the lowest pitch struck under the old one."""

    old: Harmony
    new: Harmony
    bass: int


def accompany(
    parts: Sequence[ScorePart],
    analysis: Analysis,
    slots: Sequence[Slots],
    lengths: Sequence[int],
) -> list[ScorePart]:
    """Return the parts' notes in the new bars, in beats from the start of the first.

    Parameters
    ----------
    parts : sequence of ScorePart
        Parts of the given score, without the melody.
    analysis : Analysis
        Analysis of the given score.
    slots : sequence of Slots
        Degrees of the new bars.
    lengths : sequence of int
        Lengths of the new bars in beats.
    """
    sources = _choose_bars(parts, analysis, slots, lengths)
    made: list[list[ScoreNote]] = [[] for _ in parts]
    start = Fraction(0)
    for bar, beats, source in zip(slots, lengths, sources, strict=True):
        if source is not None:
            basses = _find_basses(parts, analysis, source)
            for notes, part in zip(made, parts, strict=True):
                for note in _play(part, analysis, source, bar, beats, basses):
                    notes.append(replace(note, start_beats=note.start_beats + start))
        start += beats
    return [
        replace(part, notes=tuple(sorted(notes))) for part, notes in zip(parts, made, strict=True)
    ]


def _choose_bars(
    parts: Sequence[ScorePart],
    analysis: Analysis,
    slots: Sequence[Slots],
    lengths: Sequence[int],
) -> list[int | None]:
    """Return the index of the given bar whose pattern each new bar takes; None for silence."""
    weights = [_count(parts, analysis, index) for index in range(len(analysis.bars))]
    playing = [index for index, weight in enumerate(weights) if weight]
    if not playing:
        return [None] * len(slots)
    last = playing[-PATTERN_BARS:]
    # The last bar of a piece is often its close, whose pattern does not suit the middle of one.
    if len(last) > 1 and weights[last[-1]] < 0.6 * max(weights[index] for index in last):
        last = last[:-1]
    chosen: list[int | None] = []
    for number, (bar, beats) in enumerate(zip(slots, lengths, strict=True)):
        turn = min(len(last), PHRASE_BARS)
        usual = last[len(last) - turn + number % turn]
        fitting = [i for i in last if int(analysis.bars[i].length_beats) == beats]
        if not fitting:
            chosen.append(None)
        elif usual in fitting and len(analysis.slots[usual]) == len(bar):
            chosen.append(usual)
        else:
            alike = [i for i in fitting if len(analysis.slots[i]) == len(bar)] or fitting
            chosen.append(min(alike, key=lambda i: (abs(i - usual), i)))
    return chosen


def _find_basses(parts: Sequence[ScorePart], analysis: Analysis, index: int) -> list[int]:
    """Return the lowest pitch struck under each chord of a bar; -1 if there is none."""
    bar, count = analysis.bars[index], len(analysis.slots[index])
    struck: list[list[int]] = [[] for _ in range(count)]
    for part in parts:
        for note in () if part.is_drum else part.notes:
            if bar.start_beats <= note.start_beats < bar.stop_beats:
                place = (note.start_beats - bar.start_beats) / bar.length_beats
                struck[int(place * count)].append(note.pitch)
    return [min(pitches, default=-1) for pitches in struck]


def _count(parts: Sequence[ScorePart], analysis: Analysis, index: int) -> int:
    bar = analysis.bars[index]
    return sum(
        bar.start_beats <= note.start_beats < bar.stop_beats for p in parts for note in p.notes
    )


def _play(
    part: ScorePart,
    analysis: Analysis,
    source: int,
    slots: Slots,
    beats: int,
    basses: Sequence[int],
) -> list[ScoreNote]:
    """Return a part's notes in a given bar, adapted to new chords, in beats from the bar line."""
    bar = analysis.bars[source]
    pattern = [
        replace(
            note,
            start_beats=note.start_beats - bar.start_beats,
            duration_beats=min(note.duration_beats, bar.stop_beats - note.start_beats),
        )
        for note in part.notes
        if bar.start_beats <= note.start_beats < bar.stop_beats
    ]
    if part.is_drum:
        return pattern
    struck: dict[_Change, set[int]] = {}
    changes: dict[Fraction, _Change] = {}
    for note in pattern:
        place = int(note.start_beats * TICKS)
        change = changes[note.start_beats] = _Change(
            analysis.harmony_at(source, place),
            find_harmony(slots, beats, place, analysis.tonic),
            basses[place * len(basses) // (beats * TICKS)],
        )
        struck.setdefault(change, set()).add(note.pitch)
    ways = {change: carry(sorted(pitches), *change) for change, pitches in struck.items()}
    played = []
    for note in pattern:
        pitch = ways[changes[note.start_beats]][note.pitch]
        length = note.duration_beats
        if not note.grace:
            until = _until_change(slots, beats, note.start_beats, pitch, analysis.tonic)
            length = min(length, until)
        played.append(replace(note, duration_beats=length, pitch=pitch))
    return _without_doubles(played)


def carry(pitches: Sequence[int], old: Harmony, new: Harmony, bass: int) -> dict[int, int]:
    """Map the pitches of a pattern to a new chord.

    A bass note keeps its kind of chord tone: root to root, third to third. Other chord tones are
    led by :func:`_lead_voices`. A non-chord tone keeps its distance, in scale steps, above the
    chord tone below it.

    Parameters
    ----------
    pitches : sequence of int
        Ascending.
    old, new : Harmony
    bass : int
        Lowest pitch of all parts. Chord tones up to it are bass notes.
    """
    tones = [pitch for pitch in pitches if pitch in old.chord]
    ways = {pitch: _carry_bass(pitch, old, new) for pitch in tones if pitch <= bass}
    upper = [pitch for pitch in tones if pitch > bass]
    if upper:
        ways |= _lead_voices(upper, old, new, set(ways.values()))
    for pitch in pitches:
        if pitch not in old.chord:
            below = old.chord.pitch(old.chord.floor(pitch))
            steps = max(old.scale.floor(pitch) - old.scale.floor(below), 1)
            ways[pitch] = new.scale.climb(ways.get(below, new.chord.nearest(below)), steps)
    return {pitch: _fold(carried) for pitch, carried in ways.items()}


def _carry_bass(pitch: int, old: Harmony, new: Harmony) -> int:
    kind = _tones(old).index(pitch % 12)
    return Ladder((_tones(new)[kind],)).nearest(pitch)


def _lead_voices(
    pitches: Sequence[int], old: Harmony, new: Harmony, below: set[int]
) -> dict[int, int]:
    """Lead chord tones to a new chord with the least movement.

    Distances in chord tones are kept. A chord without its third costs extra, as does crossing below
    the notes in ``below``.
    """
    rungs = [old.chord.floor(pitch) for pitch in pitches]
    nearest = new.chord.floor(new.chord.nearest(pitches[0]))
    third = _tones(new)[1]
    best: tuple[int, list[int]] | None = None
    for shift in (0, -1, 1, -2, 2):
        led = [new.chord.pitch(nearest + shift + rung - rungs[0]) for rung in rungs]
        lacks_third = all(pitch % 12 != third for pitch in (*led, *below))
        under = any(led[0] <= pitch for pitch in below)
        moved = sum(abs(a - b) for a, b in zip(led, pitches, strict=True))
        cost = moved + _THIRD * len(led) * lacks_third + _UNDER * under
        if best is None or cost < best[0]:
            best = cost, led
    assert best is not None
    return dict(zip(pitches, best[1], strict=True))


def _fold(pitch: int) -> int:
    """Move a pitch by octaves into the range of the piano."""
    while pitch < _LOWEST:
        pitch += 12
    while pitch > _HIGHEST:
        pitch -= 12
    return pitch


def _tones(harmony: Harmony) -> list[int]:
    """Return the pitch classes of the chord, upward from its root."""
    return sorted(harmony.chord.classes, key=lambda pc: (pc - harmony.root) % 12)


def _until_change(slots: Slots, beats: int, place: Fraction, pitch: int, tonic: int) -> Fraction:
    """Return the beats for which a pitch may sound until a chord without it, or the bar's end."""
    width = Fraction(beats, len(slots))
    index = int(place / width)
    for later in range(index + 1, len(slots)):
        harmony = find_harmony(slots, beats, int(width * later * TICKS), tonic)
        if slots[later] != slots[index] and pitch not in harmony.chord:
            return width * later - place
    return beats - place


def _without_doubles(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Remove duplicates, and shorten notes whose pitch is struck again."""
    kept: dict[tuple[Fraction, int, int], ScoreNote] = {}
    for note in sorted(notes):
        kept.setdefault((note.start_beats, note.pitch, note.grace), note)
    sounding: dict[int, ScoreNote] = {}
    result: list[ScoreNote] = []
    for note in kept.values():
        earlier = sounding.get(note.pitch)
        if earlier is not None and earlier.stop_beats > note.start_beats:
            result.remove(earlier)
            shortened = note.start_beats - earlier.start_beats
            result.append(replace(earlier, duration_beats=shortened))
        sounding[note.pitch] = note
        result.append(note)
    return sorted(result)
