"""Families of General MIDI's programs, 0-based."""

from typing import Final

SINGERS: Final = range(52, 55)
"""Choirs and voices."""
