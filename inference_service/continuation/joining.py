"""Build the new bars, and append them to the given ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Final

from inference_service.continuation.analysis import Analysis
from inference_service.continuation.degrees import (
    DIMINISHED,
    MINOR,
    SILENCE,
    find_interval,
    name_degree,
)
from inference_service.continuation.harmony import Slots
from inference_service.continuation.melody import TICKS, MelodyBar, join_bars
from inference_service.continuation.texture import accompany
from inference_service.music.events import NO_CHORD
from inference_service.music.excerpt import append_score, cut_score
from inference_service.music.pitch import pitch_class_name
from inference_service.music.score import Score, ScoreChord, ScoreMark, ScoreNote, ScorePart

MARK: Final = "Notabot"
"""Rehearsal mark over the first new bar."""

_HELD_NOTES: Final = 5
_CLOSE: Final = 2
"""Least distance, in semitones, that other notes of the melody's part keep below it."""


def join_score(
    score: Score,
    melody: Sequence[ScoreNote],
    analysis: Analysis,
    slots: Sequence[Slots],
    bars: Sequence[MelodyBar],
    context_measures: int,
) -> tuple[Score, Fraction]:
    """Return the last given bars followed by the new ones, and the position of the join in beats.

    Parameters
    ----------
    score, melody : Score, sequence of ScoreNote
        The given music and its melody.
    analysis : Analysis
    slots, bars : sequence of Slots, sequence of MelodyBar
        Chords and melody of the new bars; the melody may be empty.
    context_measures : int
        Number of given bars to keep.
    """
    stop = analysis.bars[-1].stop_beats
    new = build_score(score, melody, analysis, slots, bars)
    if context_measures == 0:
        return new, Fraction(0)
    kept = [bar for bar in score.bars() if bar.stop_beats <= stop][-context_measures:]
    given = cut_score(score, kept[0].start_beats, stop)
    join = stop - max(kept[0].start_beats, Fraction(0))
    joined = append_score(given, new, join)
    return replace(joined, marks=(*joined.marks, ScoreMark(join, MARK))), join


def build_score(
    score: Score,
    melody: Sequence[ScoreNote],
    analysis: Analysis,
    slots: Sequence[Slots],
    bars: Sequence[MelodyBar],
) -> Score:
    """Return the new bars alone, beginning at 0 beats."""
    beats = int(analysis.bars[-1].length_beats)
    sung = {_place(note) for note in melody}
    parts = [
        replace(part, notes=tuple(n for n in part.notes if part.is_drum or _place(n) not in sung))
        for part in score.parts
    ]
    made = accompany(parts, analysis, slots, [beats] * len(slots))
    made = [_close(part, beats * len(slots), beats) for part in made]
    holder = _find_holder(score.parts, melody)
    if holder is not None:
        made[holder] = _place_line(made[holder], _write_line(melody, bars))
    return replace(
        score,
        parts=tuple(made),
        chords=tuple(_name_chords(score, analysis, slots, beats)),
        key=analysis.key,
        time_signature=str(analysis.bars[-1].signature),
        pickup_beats=Fraction(0),
        time_changes=(),
        key_changes=(),
        marks=(),
    )


def _find_holder(parts: Sequence[ScorePart], melody: Sequence[ScoreNote]) -> int | None:
    """Return the index of the part that has most of the melody's notes; None for none."""
    sung = {_place(note) for note in melody}
    counts = [sum(_place(note) in sung for note in part.notes) for part in parts]
    return counts.index(max(counts)) if max(counts, default=0) else None


def _place(note: ScoreNote) -> tuple[Fraction, int]:
    return note.start_beats, note.pitch


def _write_line(melody: Sequence[ScoreNote], bars: Sequence[MelodyBar]) -> list[ScoreNote]:
    velocity = round(median(note.velocity for note in melody))
    staff = Counter(note.staff for note in melody).most_common(1)[0][0]
    return [
        ScoreNote(
            Fraction(tone.start, TICKS),
            Fraction(tone.duration, TICKS),
            tone.pitch,
            velocity,
            staff,
            settled=True,
        )
        for tone in join_bars(bars)
    ]


def _place_line(part: ScorePart, line: Sequence[ScoreNote]) -> ScorePart:
    """Add the melody to its part; notes that would obscure it are moved down by octaves."""
    notes = list(line)
    for note in part.notes:
        over = [
            m for m in line if m.start_beats < note.stop_beats and note.start_beats < m.stop_beats
        ]
        lowest = min((m.pitch for m in over), default=128)
        pitch = note.pitch
        while pitch > lowest - _CLOSE and pitch >= 36:
            pitch -= 12
        notes.append(replace(note, pitch=pitch))
    unique = {(n.start_beats, n.pitch): n for n in reversed(notes)}
    return replace(part, notes=tuple(sorted(unique.values())))


def _close(part: ScorePart, stop: int, beats: int) -> ScorePart:
    """Replace the last bar of a part by held notes: its chord, or the first note of a line."""
    last = stop - beats
    inside = [note for note in part.notes if note.start_beats >= last]
    if part.is_drum or not inside:
        return part
    before = tuple(note for note in part.notes if note.start_beats < last)
    lowest = min(inside, key=lambda note: (note.pitch, note.start_beats))
    held = [lowest]
    if _has_chords(part):
        for note in sorted(inside, key=lambda note: note.pitch):
            if note.pitch % 12 not in {other.pitch % 12 for other in held[1:]}:
                held.append(note)
    else:
        held = [inside[0]]
    length = Fraction(beats)
    rest = {
        note.pitch: replace(note, start_beats=Fraction(last), duration_beats=length, settled=True)
        for note in held[:_HELD_NOTES]
    }
    return replace(part, notes=(*before, *sorted(rest.values())))


def _has_chords(part: ScorePart) -> bool:
    """Whether any of a part's notes sound together."""
    return any(b.start_beats < a.stop_beats for a, b in pairwise(part.notes))


def _name_chords(
    score: Score, analysis: Analysis, slots: Sequence[Slots], beats: int
) -> list[ScoreChord]:
    """Return the new chord symbols, with the qualities that each degree has in the piece."""
    colours = _find_colours(score, analysis)
    chords: list[ScoreChord] = []
    for bar, degrees in enumerate(slots):
        for index, degree in enumerate(degrees):
            label = NO_CHORD
            if degree != SILENCE:
                root = pitch_class_name(analysis.tonic + find_interval(degree), analysis.key)
                colour = colours.get(degree, _usual_colour(degree))
                label = f"{root}:{colour}" if colour else root
            if not chords or chords[-1].label != label:
                start = Fraction(bar * beats) + Fraction(index * beats, len(degrees))
                chords.append(ScoreChord(start, label))
    return chords


def _usual_colour(degree: str) -> str:
    if degree in DIMINISHED:
        return "dim"
    return "min" if degree in MINOR else ""


def _find_colours(score: Score, analysis: Analysis) -> dict[str, str]:
    """Return the most frequent quality of each degree in the piece, without its bass."""
    counts: dict[str, Counter[str]] = {}
    for chord in score.chords:
        degree = name_degree(chord.label, analysis.tonic)
        quality = chord.label.partition("/")[0].partition(":")[2]
        counts.setdefault(degree, Counter())[quality] += 1
    return {degree: found.most_common(1)[0][0] for degree, found in counts.items()}
