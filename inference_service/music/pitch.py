"""Pitch, chord and key names, and their transposition.

Chord labels follow Harte et al. (ISMIR 2005): ``ROOT[:QUALITY][/BASS]``, and ``N`` for no chord.
The bass is a degree relative to the root, so transposing a label changes its root only.
"""

from __future__ import annotations

import math
import re
from typing import Final

from inference_service.music.events import ChordSegment, Key, Mode

A4_HZ: Final = 440.0
A4_PITCH: Final = 69

_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ROOT: Final = re.compile(r"^([A-G])([#b]*)")

# Of enharmonic tonics, the one whose key signature has the fewest accidentals.
_TONICS: Final[dict[Mode, tuple[str, ...]]] = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
_LINE: Final = "FCGDAEB"
_SHARP_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLAT_NAMES: Final = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


def frequency_to_pitch(f0_hz: float, tuning_cents: float = 0.0) -> float:
    """Fractional MIDI number of a frequency, in a recording tuned ``tuning_cents`` above A440."""
    return A4_PITCH + 12 * math.log2(f0_hz / A4_HZ) - tuning_cents / 100


def pitch_class(name: str) -> int:
    """Pitch class (0-11, C = 0) of a name such as ``"F#"``, ``"Bb"`` or ``"Cb"``.

    Raises
    ------
    ValueError
        If ``name`` does not begin with a letter from A to G.
    """
    match = _ROOT.match(name)
    if match is None:
        raise ValueError(f"not a pitch name: {name!r}")
    step, accidentals = match.groups()
    return (_STEPS[step] + accidentals.count("#") - accidentals.count("b")) % 12


def fifths_of(name: str) -> int:
    """Position on the line of fifths (C = 0) of a name such as ``"F#"``."""
    return _LINE.index(name[0]) - 1 + 7 * (name.count("#") - name.count("b"))


def name_of(fifths: int) -> str:
    """Name at a position on the line of fifths.

    >>> [name_of(f) for f in (-2, 0, 6)]
    ['Bb', 'C', 'F#']
    """
    alter, index = divmod(fifths + 1, 7)
    return _LINE[index] + ("#" * alter if alter >= 0 else "b" * -alter)


def key_fifths(key: Key) -> int:
    """Number of sharps (positive) or flats (negative) in a key's signature."""
    fifths = fifths_of(key.tonic)
    return fifths - 3 if key.mode == "minor" else fifths


def build_key(tonic_pitch_class: int, mode: Mode) -> Key:
    """Return the key on a pitch class, with the tonic spelt as usual."""
    return Key(_TONICS[mode][tonic_pitch_class % 12], mode)


def transpose_key(key: Key, semitones: int) -> Key:
    """Return the transposed key, spelt as usual; by whole octaves, the key itself."""
    if semitones % 12 == 0:
        return key
    return build_key(pitch_class(key.tonic) + semitones, key.mode)


def pitch_class_name(pc: int, key: Key) -> str:
    """Name a pitch class, with flats if the key's signature has flats, else with sharps."""
    names = _FLAT_NAMES if key_fifths(key) < 0 else _SHARP_NAMES
    return names[pc % 12]


def transpose_chord_label(label: str, semitones: int, key: Key) -> str:
    """Transpose a Harte label, spelling its root in ``key``, the key after transposition."""
    match = _ROOT.match(label)
    if match is None:
        return label
    root = pitch_class_name(pitch_class(match.group()) + semitones, key)
    return root + label[match.end() :]


def transpose_chords(
    chords: tuple[ChordSegment, ...], semitones: int, key: Key
) -> tuple[ChordSegment, ...]:
    """Transpose chord segments; ``key`` is the key after transposition."""
    return tuple(
        ChordSegment(c.start_s, c.end_s, transpose_chord_label(c.label, semitones, key))
        for c in chords
    )
