"""The instrument families that the note tagger distinguishes.

They follow General MIDI's groups of eight programs, with two changes: reeds and pipes form one
family, and voices are separate from the ensembles. Programs are 0-based.
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
"""In the order of the tagger's outputs. Drums, which have no pitch, are not a family."""

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
    """Return the family of a General MIDI program; "synth" if it belongs to no other."""
    for family, programs in _PROGRAMS.items():
        if program in programs:
            return family
    return "synth"


def program_of(family: str) -> int:
    """Return the General MIDI program that represents a family.

    Raises
    ------
    KeyError
        If there is no such family.
    """
    return _REPRESENTATIVES[family]
