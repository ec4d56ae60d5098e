"""End notes that ring on where a copyist would end them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from inference_service.music.chords import parse_chord
from inference_service.music.events import NO_CHORD
from inference_service.music.metre import BarGrid
from inference_service.music.pitch import pitch_class
from inference_service.music.programs import BASSES
from inference_service.music.score import ScoreNote
from inference_service.notation.edit_chords import PlacedChord
from inference_service.notation.edit_notes import WrittenPart


def end_with_piece(parts: Sequence[WrittenPart], bars: BarGrid) -> list[WrittenPart]:
    """Cut what sounds on into an empty bar at the end, unless most notes do for half a bar.

    Players stay on the last chord, and rooms and pedals let it ring, longer than it is meant.
    """
    notes = [note for part in parts for note in part.notes]
    if not notes:
        return list(parts)
    last = float(max(note.start_beats for note in notes))
    line = next(line for line in bars.bar_starts(last, last + 1) if line > last)
    ending = [note for note in notes if note.stop_beats >= line]
    held = [note for note in ending if note.stop_beats - line >= bars.signature.beats / 2]
    if 2 * len(held) >= len(ending):
        return list(parts)
    return [_cut(part, lambda note: Fraction(line)) for part in parts]


def end_with_chords(
    parts: Sequence[WrittenPart], chords: Sequence[PlacedChord], bars: BarGrid
) -> list[WrittenPart]:
    """Cut the notes of basses at a bar line after which a chord with another bass sounds.

    Such a note was heard too long. Pedal points are in the names of their chords.
    """
    places = [chord.place for chord in chords]

    def find_end(note: ScoreNote) -> Fraction:
        for line in bars.bar_starts(float(note.start_beats), float(note.stop_beats)):
            index = bisect_right(places, line) - 1
            label = chords[index].segment.label if index >= 0 else NO_CHORD
            if note.start_beats < line < note.stop_beats and _contradicts(note.pitch, label):
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
