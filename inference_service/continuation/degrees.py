"""Chords as degrees of a key: the words of the harmony grammar.

A degree is a triad, numbered from the tonic of the major key with the same *signature*. The chord A
minor is thus ``vi`` both in C major and in A minor. The two keys share their chords, and pop music
moves between them freely. Degrees are Roman numerals, upper case for major triads, lower case for
minor ones, with ``o`` for diminished ones; ``b`` and ``#`` precede roots outside the major scale.
Sevenths, suspensions and inversions are ignored.

:data:`FUNCTIONS` groups the degrees after Riemann ("Vereinfachte Harmonielehre", 1893), and adds
applied dominants, applied leading-note chords and chords borrowed from the parallel minor.
"""

from __future__ import annotations

import re
from typing import Final

from inference_service.music.events import NO_CHORD, Key
from inference_service.music.pitch import pitch_class

SILENCE: Final = "N"
"""The degree for no chord."""

MAJOR: Final = ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII")
MINOR: Final = ("i", "bii", "ii", "biii", "iii", "iv", "#iv", "v", "bvi", "vi", "bvii", "vii")
DIMINISHED: Final = (
    "io", "#io", "iio", "#iio", "iiio", "ivo", "#ivo", "vo", "#vo", "vio", "#vio", "viio",
)  # fmt: skip

FUNCTIONS: Final = {
    "tonic": ("I", "vi", "iii"),
    "predominant": ("IV", "ii"),
    "dominant": ("V", "viio"),
    "applied": ("II", "III", "VI", "VII", "#io", "#iio", "iiio", "#ivo", "#vo", "#vio"),
    "borrowed": ("i", "iv", "v", "bII", "bIII", "bVI", "bVII", "iio"),
}
"""Degrees by function; all others are remote."""

_ROOT: Final = re.compile(r"([A-G][#b]*)(?::?)(.*)")
_FIRST_MINOR: Final = ("min",)
_FIRST_DIMINISHED: Final = ("dim", "hdim")


def signature_tonic(key: Key) -> int:
    """Return the pitch class of the major key with the same signature."""
    return (pitch_class(key.tonic) + (3 if key.mode == "minor" else 0)) % 12


def name_degree(label: str, tonic: int) -> str:
    """Return the degree of a chord.

    Parameters
    ----------
    label : str
        Chord label in Harte syntax.
    tonic : int
        Pitch class of the tonic of the signature's major key.

    >>> name_degree("A:min7", 0), name_degree("E:7/3", 0), name_degree("N", 0)
    ('vi', 'III', 'N')
    """
    match = _ROOT.fullmatch(label)
    if label == NO_CHORD or match is None:
        return SILENCE
    root, quality = match.groups()
    interval = (pitch_class(root) - tonic) % 12
    if quality.startswith(_FIRST_DIMINISHED):
        return DIMINISHED[interval]
    return (MINOR if quality.startswith(_FIRST_MINOR) else MAJOR)[interval]


def find_interval(degree: str) -> int:
    """Return the semitones from the tonic to a degree's root.

    Raises
    ------
    ValueError
        If it is not a degree.
    """
    for names in (MAJOR, MINOR, DIMINISHED):
        if degree in names:
            return names.index(degree)
    raise ValueError(f"{degree} is not a degree")


def find_triad(degree: str) -> tuple[int, int, int]:
    """Return the pitch classes of a degree's triad, in semitones from the tonic, the root first."""
    root = find_interval(degree)
    third = 4 if degree in MAJOR else 3
    fifth = 6 if degree in DIMINISHED else 7
    return root, (root + third) % 12, (root + fifth) % 12


def find_function(degree: str) -> str:
    """Return the function of a degree."""
    for name, degrees in FUNCTIONS.items():
        if degree in degrees:
            return name
    return "silence" if degree == SILENCE else "remote"
