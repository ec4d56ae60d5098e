"""General MIDI percussion on a five-line staff, after Weinberg's guidelines (PAS, 1998).

Cymbals have cross note heads; what the feet play has stems down.
"""

from __future__ import annotations

from typing import Final

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
