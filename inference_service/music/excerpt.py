"""Extract bars from a score or a performance, and append one score to another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Final

from inference_service.music.events import Transcription
from inference_service.music.metre import TimeSignature, align
from inference_service.music.score import (
    KeyChange,
    Score,
    ScoreChord,
    ScoreNote,
    ScorePart,
    TimeChange,
)

EARLY_BEATS: Final = 0.25
"""How early a note may be played, and belong to the bar that follows."""


def cut_score(score: Score, start_beats: Fraction, stop_beats: Fraction) -> Score:
    """Return the bars between two bar lines, moved to begin at 0 beats.

    Notes that begin before ``start_beats`` are omitted; those that sound beyond ``stop_beats`` are
    shortened. The excerpt begins with the key, metre and chord in force at its start.

    Parameters
    ----------
    score : Score
    start_beats, stop_beats : Fraction
        Positions of bar lines. A start within the pickup keeps the rest of the pickup.
    """

    def is_inside(position: Fraction) -> bool:
        return start_beats <= position < stop_beats

    first = max(start_beats, Fraction(0))
    pickup = first - start_beats
    return replace(
        score,
        parts=tuple(
            replace(part, notes=tuple(_cut(part.notes, start_beats, stop_beats, first)))
            for part in score.parts
        ),
        chords=_chord_at(score, start_beats, -pickup)
        + tuple(
            replace(chord, start_beats=chord.start_beats - first)
            for chord in score.chords
            if start_beats < chord.start_beats < stop_beats
        ),
        key=score.key_at(first),
        time_signature=str(_signature_at(score, first)),
        pickup_beats=pickup,
        first_number=1,
        origin_beats=score.origin_beats + first,
        time_changes=tuple(
            replace(change, start_beats=change.start_beats - int(first))
            for change in score.time_changes
            if first < change.start_beats < stop_beats
        ),
        key_changes=tuple(
            replace(change, start_beats=change.start_beats - int(first))
            for change in score.key_changes
            if first < change.start_beats < stop_beats
        ),
        marks=tuple(
            replace(mark, start_beats=mark.start_beats - first)
            for mark in score.marks
            if is_inside(mark.start_beats)
        ),
    )


def _cut(
    notes: Iterable[ScoreNote], start: Fraction, stop: Fraction, first: Fraction
) -> Iterable[ScoreNote]:
    for note in notes:
        if start <= note.start_beats < stop:
            length = min(note.duration_beats, stop - note.start_beats)
            yield replace(note, start_beats=note.start_beats - first, duration_beats=length)


def _chord_at(score: Score, position: Fraction, start: Fraction) -> tuple[ScoreChord, ...]:
    index = bisect_right([chord.start_beats for chord in score.chords], position)
    return (ScoreChord(start, score.chords[index - 1].label),) if index else ()


def _signature_at(score: Score, position: Fraction) -> TimeSignature:
    signature = score.signature
    for change in score.time_changes:
        if change.start_beats <= position:
            signature = replace(signature, beats=change.beats)
    return signature


def cut_performance(music: Transcription, start_s: float, stop_s: float) -> Transcription:
    """Return the notes, beats and chords of a performance between two bar lines.

    Times stay. Notes belong where they are written; those without a placement, where they begin,
    give or take :data:`EARLY_BEATS`. Chords change on the nearest beat. Without placements, which
    would no longer fit the beats.
    """
    grid = align(music).grid
    start, stop = grid.to_beats(start_s), grid.to_beats(stop_s)

    def is_inside(position_beats: float) -> bool:
        return start - EARLY_BEATS <= position_beats < stop - EARLY_BEATS

    placements = music.placements or ((),) * len(music.parts)
    parts = []
    for part, placed in zip(music.parts, placements, strict=True):
        notes = sorted(part.notes)
        places = [float(place.start_beats) for place in placed]
        places = places or [grid.to_beats(note.onset_s) for note in notes]
        kept = (note for note, place in zip(notes, places, strict=True) if is_inside(place))
        cut = (
            replace(note, offset_s=max(min(note.offset_s, stop_s), note.onset_s)) for note in kept
        )
        parts.append(replace(part, notes=tuple(cut)))
    return replace(
        music,
        parts=tuple(parts),
        placements=(),
        beats=tuple(beat for beat in music.beats if is_inside(grid.to_beats(beat.time_s))),
        chords=tuple(
            replace(chord, start_s=max(chord.start_s, start_s), end_s=min(chord.end_s, stop_s))
            for chord in music.chords
            if round(grid.to_beats(chord.start_s)) < round(stop)
            and round(grid.to_beats(chord.end_s)) > round(start)
        ),
    )


def move_performance(music: Transcription, by_s: float) -> Transcription:
    """Return a performance that begins later; nothing begins before 0 seconds."""
    return replace(
        music,
        duration_s=music.duration_s + by_s,
        parts=tuple(
            replace(
                part,
                notes=tuple(
                    replace(
                        note,
                        onset_s=max(note.onset_s + by_s, 0.0),
                        offset_s=max(note.offset_s + by_s, 0.0),
                    )
                    for note in part.notes
                ),
            )
            for part in music.parts
        ),
        beats=tuple(replace(b, time_s=b.time_s + by_s) for b in music.beats if b.time_s >= -by_s),
        chords=tuple(
            replace(chord, start_s=max(chord.start_s + by_s, 0.0), end_s=chord.end_s + by_s)
            for chord in music.chords
        ),
    )


def append_score(first: Score, second: Score, join_beats: Fraction) -> Score:
    """Return the first score followed by the second.

    Parameters
    ----------
    first, second : Score
        Scores with the same beat unit. Parts are matched by id; a part that only one score has
        rests in the other. Title and tempo are taken from ``first``.
    join_beats : Fraction
        The bar line of ``first`` at which bar 1 of ``second`` begins. ``first`` must end there.

    Raises
    ------
    ValueError
        If ``second`` begins with a pickup, or the lower numbers of the time signatures differ.
    """
    if second.pickup_beats:
        raise ValueError("the appended score must begin with a full bar")
    if first.signature.unit != second.signature.unit:
        raise ValueError("the scores have beats of different note values")
    at = int(join_beats)
    moved = {part.id: _move(part, join_beats) for part in second.parts}
    parts = [
        replace(part, notes=tuple(sorted(part.notes + moved.pop(part.id).notes)))
        if part.id in moved
        else part
        for part in first.parts
    ]
    before = _signature_at(first, join_beats).beats
    times = [TimeChange(at, second.signature.beats)] if before != second.signature.beats else []
    keys = [KeyChange(at, second.key)] if first.key_at(join_beats) != second.key else []
    return replace(
        first,
        parts=(*parts, *moved.values()),
        chords=first.chords
        + tuple(replace(c, start_beats=c.start_beats + join_beats) for c in second.chords),
        time_changes=(
            *first.time_changes,
            *times,
            *(replace(c, start_beats=c.start_beats + at) for c in second.time_changes),
        ),
        key_changes=(
            *first.key_changes,
            *keys,
            *(replace(c, start_beats=c.start_beats + at) for c in second.key_changes),
        ),
        marks=first.marks
        + tuple(replace(m, start_beats=m.start_beats + join_beats) for m in second.marks),
    )


def _move(part: ScorePart, beats: Fraction) -> ScorePart:
    return replace(
        part,
        notes=tuple(replace(note, start_beats=note.start_beats + beats) for note in part.notes),
    )
