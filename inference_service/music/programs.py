"""Names for General MIDI programs, 0-based."""

from typing import Final

PIANO: Final = 0

VOICE: Final = 52
"""Choir Aahs, the closest program to a solo singer."""

SINGERS: Final = range(52, 55)
"""Choirs and voices."""
