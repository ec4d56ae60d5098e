"""End notes that ring on where a copyist would end them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from inference_service.music.chords import parse_chord
from inference_service.music.metre import BarGrid
from inference_service.music.pitch import pitch_class
from inference_service.music.programs import BASSES
from inference_service.music.score import ScoreNote
from inference_service.notation.edit_chords import PlacedChord
from inference_service.notation.edit_notes import WrittenPart


def end_with_piece(parts: Sequence[WrittenPart], bars: BarGrid) -> list[WrittenPart]:
    """Cut what sounds on into an empty bar at the end.

    It stays if most notes are held for half a bar, or one for a whole bar. Otherwise, players stay
    on the last chord, and rooms and pedals let it ring, longer than it is meant.
    """
    notes = [note for part in parts for note in part.notes]
    if not notes:
        return list(parts)
    last = float(max(note.start_beats for note in notes))
    line = next(line for line in bars.bar_starts(last, last + 1) if line > last)
    beyond = [note.stop_beats - line for note in notes if note.stop_beats >= line]
    bar = bars.signature.beats
    held = sum(tail >= bar / 2 for tail in beyond)
    if 2 * held >= len(beyond) or max(beyond) >= bar:
        return list(parts)
    return [_cut(part, lambda note: Fraction(line)) for part in parts]


def end_with_chords(
    parts: Sequence[WrittenPart], chords: Sequence[PlacedChord], bars: BarGrid
) -> list[WrittenPart]:
    """Cut the notes of basses at a bar line after which a chord with another bass sounds.

    Such a note was heard too long. Pedal points are in the names of their chords.
    """
    basses = [part for part in parts if part.part.program in BASSES and part.notes]
    if not basses:
        return list(parts)
    notes = [note for part in basses for note in part.notes]
    lines = bars.bar_starts(
        float(min(note.start_beats for note in notes)),
        float(max(note.stop_beats for note in notes)),
    )
    places = [chord.place for chord in chords]

    def find_end(note: ScoreNote) -> Fraction:
        for line in lines[bisect_right(lines, note.start_beats) :]:
            if line >= note.stop_beats:
                break
            index = bisect_right(places, line) - 1
            if index >= 0 and _contradicts(note.pitch, chords[index].segment.label):
                return Fraction(line)
        return note.stop_beats

    return [_cut(part, find_end) if part.part.program in BASSES else part for part in parts]


def _contradicts(pitch: int, label: str) -> bool:
    chord = parse_chord(label)
    if chord is None:
        return False
    bass = pitch_class(chord.root) + 7 * (chord.bass_fifths or 0)
    return (bass - pitch) % 12 != 0


def _cut(part: WrittenPart, find_end: Callable[[ScoreNote], Fraction]) -> WrittenPart:
    return replace(
        part,
        notes=tuple(
            replace(note, duration_beats=min(note.stop_beats, find_end(note)) - note.start_beats)
            for note in part.notes
        ),
    )
