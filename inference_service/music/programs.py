"""Names for General MIDI programs, 0-based."""

from typing import Final

PIANO: Final = 0

GUITAR: Final = 24

KEYBOARDS: Final = range(8)
"""Pianos, harpsichord and clavinet."""

BASSES: Final = range(32, 40)
"""Acoustic, electric and synthesised basses."""

VOICE: Final = 52
"""Choir Aahs, the closest program to a solo singer."""

SINGERS: Final = range(52, 55)
"""Choirs and voices."""
