"""General MIDI's programs, 0-based, by name."""

from typing import Final

PIANO: Final = 0

VOICE: Final = 52
"""Choir Aahs: the nearest to a singing voice."""

SINGERS: Final = range(52, 55)
"""Choirs and voices."""
