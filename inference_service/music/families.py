"""Families of instruments, as the note tagger tells them apart.

General MIDI's programs, 0-based, gathered by how they sound: its own groups of eight, reeds and
pipes together, singers apart from the ensembles among which General MIDI has them.
"""

from __future__ import annotations

from typing import Final

from inference_service.music.programs import SINGERS

FAMILIES: Final = (
    "piano",
    "mallets",
    "organ",
    "guitar",
    "bass",
    "strings",
    "voice",
    "brass",
    "winds",
    "synth",
)
"""In the order of the tagger's outputs. Drums are no family: they have no pitch."""

_PROGRAMS: Final = {
    "piano": range(8),
    "mallets": range(8, 16),
    "organ": range(16, 24),
    "guitar": range(24, 32),
    "bass": range(32, 40),
    "voice": SINGERS,
    "strings": range(40, 52),
    "brass": range(56, 64),
    "winds": range(64, 80),
}
_REPRESENTATIVES: Final = {
    "piano": 0,
    "mallets": 11,
    "organ": 16,
    "guitar": 24,
    "bass": 33,
    "strings": 48,
    "voice": 52,
    "brass": 61,
    "winds": 73,
    "synth": 81,
}


def family_of(program: int) -> str:
    """Return the family of a General MIDI program; "synth" is whatever no other one claims."""
    for family, programs in _PROGRAMS.items():
        if program in programs:
            return family
    return "synth"


def program_of(family: str) -> int:
    """Return a General MIDI program that stands for a family.

    Raises
    ------
    KeyError
        If there is no such family.
    """
    return _REPRESENTATIVES[family]
