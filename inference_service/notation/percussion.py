"""General MIDI percussion on a five-line staff, after Weinberg's guidelines (PAS, 1998).

Cymbals have cross note heads; what the feet play has stems down. What one stroke cannot play is not
written: of hits at one position, a staff place has the loudest, and the hands play two at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from inference_service.music.score import ScoreNote

STAFF_PLACES: Final[dict[int, str]] = {
    35: "F4", 36: "F4", 37: "C5", 38: "C5", 39: "C5", 40: "C5", 41: "G4", 42: "G5", 43: "G4",
    44: "D4", 45: "A4", 46: "G5", 47: "A4", 48: "D5", 49: "A5", 50: "E5", 51: "F5", 52: "A5",
    53: "F5", 55: "A5", 57: "A5", 59: "F5",
}  # fmt: skip
"""Staff position of each percussion key, named as if in the treble clef."""

OTHER_PLACE: Final = "E5"

CROSS_HEADS: Final = frozenset({37, 42, 44, 46, 49, 51, 52, 53, 55, 57, 59})

FEET: Final = frozenset({35, 36, 44})
"""Bass drums and the pedal hi-hat."""

HANDS: Final = 2


def may_strike(pitch: int, struck: Sequence[int]) -> bool:
    """Whether a stroke is written beside others at its position."""
    places = {STAFF_PLACES.get(other, OTHER_PLACE) for other in struck}
    hands = sum(other not in FEET for other in struck)
    is_free = STAFF_PLACES.get(pitch, OTHER_PLACE) not in places
    return is_free and (pitch in FEET or hands < HANDS)


def merge_strokes(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Return the notes of a drum part, merged into strokes that two hands and the feet can play."""
    merged: list[ScoreNote] = []
    for _, attack in groupby(sorted(notes), lambda note: note.start_beats):
        loudest: dict[str, ScoreNote] = {}
        for note in sorted(attack, key=lambda note: -note.velocity):
            loudest.setdefault(STAFF_PLACES.get(note.pitch, OTHER_PLACE), note)
        kept = list(loudest.values())
        hands = [note for note in kept if note.pitch not in FEET][:HANDS]
        merged += [*hands, *(note for note in kept if note.pitch in FEET)]
    return sorted(merged)
