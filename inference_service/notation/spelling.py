"""Pitch spelling: which of F sharp and G flat a reader expects.

Names are positions on the line of fifths (Temperley, "The Cognition of Basic Musical Structures",
2001): F = -1, C = 0, G = 1, ... B = 5, F# = 6, Bb = -2. Over a chord its own notes are spelt from
its root, so that E:7 in A minor has a G sharp. Any other note takes, of the spellings that the
key's tonic reaches, the one from five fifths below the tonic (the lowered second) to six above
(the raised fourth); that holds for major and minor alike. A chromatic note that steps up by a
semitone is written as the raised form of the lower scale degree, so that the step changes letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from inference_service.music.events import Key
from inference_service.music.pitch import key_fifths, pitch_class
from inference_service.notation.chords import ChordName, parse_chord

LOWEST_OCTAVE: Final = 0
"""MusicXML has none lower: what MIDI can say below 16 Hz is written an octave higher."""

_STEPS: Final = "FCGDAEB"
_STEP_SEMITONES: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FEWEST_FIFTHS: Final = -8
_MOST_FIFTHS: Final = 12
"""From F flat to B sharp: single accidentals; G sharp minor's leading note goes one further."""


@dataclass(frozen=True, slots=True)
class PitchName:
    """A letter, its alteration in semitones and the octave of scientific pitch notation."""

    step: str
    alter: int
    octave: int


def fifths_of(name: str) -> int:
    """Place of a name such as ``"F#"`` on the line of fifths."""
    return _STEPS.index(name[0]) - 1 + 7 * (name.count("#") - name.count("b"))


def name_of(fifths: int) -> str:
    """Name at a place on the line of fifths.

    >>> [name_of(f) for f in (-2, 0, 6)]
    ['Bb', 'C', 'F#']
    """
    alter, index = divmod(fifths + 1, 7)
    return _STEPS[index] + ("#" * alter if alter >= 0 else "b" * -alter)


def single_accidental(fifths: int) -> int:
    """Return the place, or its enharmonic equal where its name has a double accidental."""
    if fifths < _FEWEST_FIFTHS:
        return fifths + 12
    return fifths - 12 if fifths > _MOST_FIFTHS else fifths


@lru_cache(maxsize=4096)
def spell(pitch: int, key: Key, chord_label: str = "N", next_pitch: int | None = None) -> PitchName:
    """Spell a MIDI pitch.

    Parameters
    ----------
    pitch : int
    key : Key
    chord_label : str
        Harte label of the chord that the note sounds with.
    next_pitch : int or None
        The pitch that follows in the same voice.
    """
    fifths = _chord_fifths(pitch, key, chord_label)
    if fifths is None:
        fifths = _key_fifths(pitch, key)
        scale = key_fifths(key)
        chromatic = not scale - 1 <= fifths <= scale + 5
        raised = fifths + 12 if fifths < scale - 1 else fifths
        if chromatic and next_pitch is not None and next_pitch - pitch == 1:
            fifths = raised if raised <= _MOST_FIFTHS else fifths
    name = name_of(fifths)
    alter = name.count("#") - name.count("b")
    octave = (pitch - alter - _STEP_SEMITONES[name[0]]) // 12 - 1
    return PitchName(name[0], alter, max(octave, LOWEST_OCTAVE))


def spell_class(pc: int, key: Key) -> str:
    """Name of a pitch class in a key, for instance of a chord's root."""
    return name_of(_key_fifths(pc, key))


def _key_fifths(pitch: int, key: Key) -> int:
    """Place of a pitch among the twelve that the tonic reaches, short of most double sharps."""
    lowest = fifths_of(key.tonic) - 5
    fifths = lowest + (pitch * 7 - lowest) % 12
    return fifths if fifths == _MOST_FIFTHS + 1 else single_accidental(fifths)


def _chord_fifths(pitch: int, key: Key, label: str) -> int | None:
    """Place of a pitch as a member of a chord; None where it is none."""
    chord: ChordName | None = parse_chord(label)
    if chord is None:
        return None
    root = _key_fifths(pitch_class(chord.root), key)
    for interval in chord.fifths:
        fifths = root + interval
        if (fifths * 7 - pitch) % 12 == 0 and _FEWEST_FIFTHS <= fifths <= _MOST_FIFTHS:
            return fifths
    return None
