"""Written names of chords and keys.

All names of chords come from :func:`write_chord`: those above the staff, on the chord sheet, in the
piano roll, in the markers of MIDI files, in the protocol and in ``result.json``. The rules follow
lead sheets:

- The root is spelt in the key, whatever its spelling in the label, so that a transposed chord is
  spelt in its new key: with the name that brings the notes of the chord nearest to the scale on the
  line of fifths. In A minor, that is E♭ for a major chord and D♯ for a diminished one.
- The bass is spelt from the root: E7/G♯, never E7/A♭.
- Neither has a double accidental: the chord on the leading note of G sharp minor is Gdim7.
- A root is F♭ or B♯ only if the scale of the key has it: the chord on the lowered sixth degree of
  A flat major is E.
- Where no chord sounds, charts show :data:`NO_CHORD_TEXT`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from inference_service.music.chords import (
    SHORTHANDS_BY_TEXT,
    ChordName,
    join_label,
    parse_chord,
)
from inference_service.music.events import NO_CHORD, ChordSegment, Key
from inference_service.music.pitch import (
    FEWEST_FIFTHS,
    MOST_FIFTHS,
    fifths_of,
    key_fifths,
    name_of,
    pitch_class,
    pitch_class_name,
    single_accidental,
)

NO_CHORD_TEXT: Final = "N.C."

_WRITTEN: Final = re.compile(r"([A-G](?:##?|b{0,2}))([^/]*)(?:/([A-G](?:##?|b{0,2})))?")

_SCALE_MIDDLE: Final = 2
"""Middle of a scale on the line of fifths, from the tonic of the major key with its signature."""

_LONGEST_CHARS: Final = 64
"""Longer texts, as in files of unknown origin, are not parsed as chords."""


@dataclass(frozen=True, slots=True)
class WrittenChord:
    """The parts of a chord's name.

    Attributes
    ----------
    root : str
        Note name in ASCII, such as ``"F#"``; :func:`with_signs` turns it into F♯.
    kind : str
        MusicXML's ``kind-value``.
    suffix : str
        Text after the root, such as ``"m7♭5"``; empty for a major triad.
    bass : str
        Note name in ASCII; empty if the root is the bass.
    """

    root: str
    kind: str
    suffix: str
    bass: str

    @property
    def text(self) -> str:
        """The whole name, such as ``"F♯m7♭5/A"``."""
        bass = f"/{with_signs(self.bass)}" if self.bass else ""
        return with_signs(self.root) + self.suffix + bass


@lru_cache(maxsize=4096)
def write_chord(label: str, key: Key) -> WrittenChord | None:
    """Return the written name of a chord in a key.

    Parameters
    ----------
    label : str
        Label in Harte syntax, already transposed and simplified if requested.
    key : Key
        The key in force at the chord.

    Returns
    -------
    WrittenChord or None
        None for ``N`` and for invalid labels.

    Examples
    --------
    >>> write_chord("E:7/3", Key("A", "minor")).text
    'E7/G♯'
    """
    chord = parse_chord(label)
    if chord is None:
        return None
    root = _spell_root(chord, key)
    bass = ""
    if chord.bass_fifths is not None:
        bass = name_of(single_accidental(fifths_of(root) + chord.bass_fifths))
    return WrittenChord(root, chord.kind, chord.text, bass)


def _spell_root(chord: ChordName, key: Key) -> str:
    """Return the name of a chord's root with which its notes are nearest to the scale of a key."""
    usual = pitch_class_name(pitch_class(chord.root), key)
    middle = key_fifths(key) + _SCALE_MIDDLE - sum(chord.fifths) / len(chord.fifths)
    found = fifths_of(usual)
    others = (f for f in (found - 12, found + 12) if FEWEST_FIFTHS < f < MOST_FIFTHS)
    return name_of(min((found, *others), key=lambda fifths: abs(fifths - middle)))


def write_label(label: str, key: Key) -> str:
    """Return the written name of a label in a key as text; empty for no chord."""
    written = write_chord(label, key)
    return written.text if written is not None else ""


def write_segment(chord: ChordSegment, key: Key) -> str:
    """Return the text of a chord segment, or else its name in a key; empty for no chord."""
    return chord.text or write_label(chord.label, key)


def read_chord(text: str) -> str | None:
    """Parse a written chord name or a Harte label to a Harte label; None if it is neither.

    Accidentals may be ASCII: ``"F#m7b5"``.

    >>> read_chord("F♯m7♭5/A"), read_chord("Verse")
    ('F#:hdim7/b3', None)
    """
    if len(text) > _LONGEST_CHARS:
        return None
    if text in (NO_CHORD, NO_CHORD_TEXT):
        return NO_CHORD
    match = _WRITTEN.fullmatch(_with_letters(text))
    if match is not None and match[2] in SHORTHANDS_BY_TEXT:
        return join_label(match[1], SHORTHANDS_BY_TEXT[match[2]], match[3] or "")
    return text if parse_chord(text) is not None else None


def write_key(key: Key) -> str:
    """Name a key like the chord on its tonic, such as ``"F♯m"``."""
    return with_signs(key.tonic) + ("m" if key.mode == "minor" else "")


def with_signs(name: str) -> str:
    """Replace ``b`` and ``#`` in a note name by ♭ and ♯."""
    return name.replace("b", "♭").replace("#", "♯")


def _with_letters(text: str) -> str:
    return text.replace("♭", "b").replace("♯", "#")
