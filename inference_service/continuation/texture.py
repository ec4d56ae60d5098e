"""The accompaniment of new bars, in the texture of given ones.

A bar's pattern is what its parts play, told by the harmony: each note by its place in the bar, its
length, and which tone of its chord it is, or how far from one. Under another chord the pattern
sounds again, every note at the tone of the same kind that is nearest to where it was, so that
blocks stay blocks, arpeggios arpeggios, and a bass goes on its roots; lines in a part keep their
order. The bars after the join take their patterns from the given bars in turn, as a phrase's bars
do; a bar that is divided between chords takes one that was, where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from inference_service.continuation.analysis import Analysis, find_harmony
from inference_service.continuation.harmony import Slots
from inference_service.continuation.scale import Harmony, Ladder
from inference_service.music.score import ScoreNote, ScorePart

PATTERN_BARS: Final = 8
_LOWEST, _HIGHEST = 21, 108


def accompany(
    parts: Sequence[ScorePart],
    analysis: Analysis,
    slots: Sequence[Slots],
    lengths: Sequence[int],
) -> list[ScorePart]:
    """Return what the parts play in new bars, in beats from the first one's beginning.

    Parameters
    ----------
    parts : sequence of ScorePart
        Those of the given score, without the melody's notes.
    analysis : Analysis
        Of the score, with all the bars that the patterns come from.
    slots : sequence of Slots
        The new bars' degrees.
    lengths : sequence of int
        Their beats.
    """
    sources = _choose_bars(parts, analysis, slots, lengths)
    made: list[list[ScoreNote]] = [[] for _ in parts]
    start = Fraction(0)
    for bar, beats, source in zip(slots, lengths, sources, strict=True):
        if source is not None:
            for notes, part in zip(made, parts, strict=True):
                for note in _play(part, analysis, source, bar, beats):
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
    """Return, for each new bar, the given one whose pattern it takes; None for silence."""
    weights = [_count(parts, analysis, index) for index in range(len(analysis.bars))]
    playing = [index for index, weight in enumerate(weights) if weight]
    if not playing:
        return [None] * len(slots)
    last = playing[-PATTERN_BARS:]
    # the very last bar of a piece is often its close: a pattern for the end, not for the middle
    if len(last) > 1 and weights[last[-1]] < 0.6 * max(weights[index] for index in last):
        last = last[:-1]
    chosen: list[int | None] = []
    for number, (bar, beats) in enumerate(zip(slots, lengths, strict=True)):
        turn = len(last) - len(last) % 4 if len(last) >= 4 else len(last)
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


def _count(parts: Sequence[ScorePart], analysis: Analysis, index: int) -> int:
    bar = analysis.bars[index]
    return sum(
        bar.start_beats <= note.start_beats < bar.stop_beats for p in parts for note in p.notes
    )


def _play(
    part: ScorePart, analysis: Analysis, source: int, slots: Slots, beats: int
) -> list[ScoreNote]:
    """Return a part's pattern of a given bar under new chords, in beats from the bar line."""
    bar = analysis.bars[source]
    played: list[ScoreNote] = []
    for note in part.notes:
        if not bar.start_beats <= note.start_beats < bar.stop_beats:
            continue
        place = note.start_beats - bar.start_beats
        length = min(note.duration_beats, beats - place)
        if part.is_drum:
            played.append(replace(note, start_beats=place, duration_beats=length))
            continue
        old = analysis.harmony_at(source, place)
        new = find_harmony(slots, beats, place, analysis.tonic)
        pitch = carry(note.pitch, old, new)
        if not note.grace:
            length = min(length, _until_change(slots, beats, place, pitch, analysis.tonic))
        played.append(replace(note, start_beats=place, duration_beats=length, pitch=pitch))
    return _without_doubles(played)


def carry(pitch: int, old: Harmony, new: Harmony) -> int:
    """Return the pitch that is to a new chord what one is to an old.

    The root goes to the root, the third to the third, the fifth to the fifth, whichever is nearest;
    another tone stays as many steps of the scale over the chord tone below it.
    """
    if pitch in old.chord:
        kind = _tones(old).index(pitch % 12)
        carried = Ladder((_tones(new)[kind],)).nearest(pitch)
    else:
        below = old.chord.pitch(old.chord.floor(pitch))
        steps = max(old.scale.floor(pitch) - old.scale.floor(below), 1)
        carried = new.scale.climb(carry(below, old, new), steps)
    while carried < _LOWEST:
        carried += 12
    while carried > _HIGHEST:
        carried -= 12
    return carried


def _tones(harmony: Harmony) -> list[int]:
    """Return the chord's pitch classes from its root up."""
    return sorted(harmony.chord.classes, key=lambda pc: (pc - harmony.root) % 12)


def _until_change(slots: Slots, beats: int, place: Fraction, pitch: int, tonic: int) -> Fraction:
    """Return how long a pitch may sound before a chord comes that lacks it."""
    width = Fraction(beats, len(slots))
    index = int(place / width)
    for later in range(index + 1, len(slots)):
        harmony = find_harmony(slots, beats, width * later, tonic)
        if slots[later] != slots[index] and pitch not in harmony.chord:
            return width * later - place
    return beats - place


def _without_doubles(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Return the notes without those that would strike a pitch that is struck already."""
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
