"""Pitch, chord and key names, and their transposition.

Chord labels follow Harte et al. (ISMIR 2005): ``ROOT[:QUALITY][/BASS]``, and ``N`` for no chord.
The bass is a degree relative to the root, so transposing a label changes its root only.
"""

from __future__ import annotations

import math
import re
from typing import Final

from inference_service.music.events import Key, Mode

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

FEWEST_FIFTHS: Final = -8
MOST_FIFTHS: Final = 12
"""From F flat to B sharp on the line of fifths: the names with at most one accidental."""


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


def scale_of(key: Key) -> frozenset[int]:
    """Return the pitch classes of a key's signature."""
    lowest = key_fifths(key) - 1
    return frozenset(7 * (lowest + number) % 12 for number in range(len(_LINE)))


def step_in_key(pitch: int, key: Key, steps: int) -> int:
    """Return the pitch some steps of the scale away; a foreign note steps into the scale."""
    scale = scale_of(key)
    direction = 1 if steps > 0 else -1
    for _ in range(abs(steps)):
        pitch += direction
        while pitch % 12 not in scale:
            pitch += direction
    return pitch


def build_key(tonic_pitch_class: int, mode: Mode) -> Key:
    """Return the key on a pitch class, with the tonic spelt as usual."""
    return Key(_TONICS[mode][tonic_pitch_class % 12], mode)


def transpose_key(key: Key, semitones: int) -> Key:
    """Return the transposed key, spelt as usual; by whole octaves, the key itself."""
    if semitones % 12 == 0:
        return key
    return build_key(pitch_class(key.tonic) + semitones, key.mode)


def relative_key(key: Key) -> Key:
    """Return the key of the other mode with the same signature, its tonic spelt as usual."""
    if key.mode == "major":
        return build_key(pitch_class(key.tonic) - 3, "minor")
    return build_key(pitch_class(key.tonic) + 3, "major")


def single_accidental(fifths: int) -> int:
    """Replace a position on the line of fifths by its enharmonic if it has a double accidental."""
    if fifths < FEWEST_FIFTHS:
        return fifths + 12
    return fifths - 12 if fifths > MOST_FIFTHS else fifths


def place_in_key(pitch: int, key: Key) -> int:
    """Position of a pitch on the line of fifths as a degree of a key.

    Of its enharmonic names, the one between five fifths below the tonic (the lowered second) and
    six above (the raised fourth). Keys with many accidentals reach double ones.
    """
    lowest = fifths_of(key.tonic) - 5
    return lowest + (pitch * 7 - lowest) % 12


def pitch_class_name(pc: int, key: Key) -> str:
    """Name of a pitch class in a key, as the root of a chord is written.

    Never a double accidental, and F flat and B sharp in keys whose scale has them only: elsewhere
    readers of chord symbols expect E and C.

    >>> [pitch_class_name(8, Key(tonic, "minor")) for tonic in ("A", "C")]
    ['G#', 'Ab']
    """
    fifths = single_accidental(place_in_key(pc, key))
    signature = key_fifths(key)
    if fifths in (FEWEST_FIFTHS, MOST_FIFTHS) and not signature - 1 <= fifths <= signature + 5:
        fifths += 12 if fifths < 0 else -12
    return name_of(fifths)


def transpose_chord_label(label: str, semitones: int, key: Key) -> str:
    """Transpose a Harte label, spelling its root in ``key``, the key after transposition."""
    match = _ROOT.match(label)
    if match is None:
        return label
    root = pitch_class_name(pitch_class(match.group()) + semitones, key)
    return root + label[match.end() :]
