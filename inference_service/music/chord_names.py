"""The names of chords and keys as readers see them.

Everything that shows a chord takes its name from :func:`write_chord`: the symbols over the staff,
the chord sheet, the piano roll, the markers of MIDI files, and the texts that the protocol and
``result.json`` carry. The rules are those of lead sheets:

- The root is a degree of the key (:func:`~inference_service.music.pitch.pitch_class_name`), however
  the label spells it, so that a transposed chord is spelt in the key that it arrives in.
- The bass is spelt from the root: E7/G♯ and never E7/A♭.
- Neither has a double accidental: the chord on G sharp minor's leading note is Gdim7.
- Where no chord sounds, a chart says :data:`NO_CHORD_TEXT`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from inference_service.music.chords import KINDS_BY_TEXT, label_chord, parse_chord
from inference_service.music.events import NO_CHORD, ChordSegment, Key
from inference_service.music.pitch import (
    fifths_of,
    name_of,
    pitch_class,
    pitch_class_name,
    single_accidental,
)

NO_CHORD_TEXT: Final = "N.C."

_WRITTEN: Final = re.compile(r"([A-G](?:##?|b{0,2}))([^/]*)(?:/([A-G](?:##?|b{0,2})))?")

_LONGEST_CHARS: Final = 64
"""Longer texts, which files of unknown origin may hold, are no chords."""


@dataclass(frozen=True, slots=True)
class WrittenChord:
    """A chord's name in its parts.

    Attributes
    ----------
    root : str
        A note's name in letters, ``"F#"``; :func:`with_signs` makes F♯ of it.
    kind : str
        MusicXML's ``kind-value``.
    suffix : str
        What follows the root, ``"m7♭5"``; empty for a major triad.
    bass : str
        A note's name, as ``root``; empty where the root is the bass.
    """

    root: str
    kind: str
    suffix: str
    bass: str

    @property
    def text(self) -> str:
        """The whole name: ``"F♯m7♭5/A"``."""
        bass = f"/{with_signs(self.bass)}" if self.bass else ""
        return with_signs(self.root) + self.suffix + bass


@lru_cache(maxsize=4096)
def write_chord(label: str, key: Key) -> WrittenChord | None:
    """Name a chord as it is written in a key.

    Parameters
    ----------
    label : str
        In Harte syntax, transposed and simplified already where that is asked for.
    key : Key
        The key in force where the chord stands.

    Returns
    -------
    WrittenChord or None
        None for ``N`` and for what is no label.

    Examples
    --------
    >>> write_chord("E:7/3", Key("A", "minor")).text
    'E7/G♯'
    """
    chord = parse_chord(label)
    if chord is None:
        return None
    root = pitch_class_name(pitch_class(chord.root), key)
    bass = ""
    if chord.bass_fifths is not None:
        bass = name_of(single_accidental(fifths_of(root) + chord.bass_fifths))
    return WrittenChord(root, chord.kind, chord.text, bass)


def write_label(label: str, key: Key) -> str:
    """Return the whole name of a label in a key; empty for no chord."""
    written = write_chord(label, key)
    return written.text if written is not None else ""


def write_segment(chord: ChordSegment, key: Key) -> str:
    """Return the text that a chord has, or its name in a key; empty for no chord."""
    return chord.text or write_label(chord.label, key)


def read_chord(text: str) -> str | None:
    """Return the label of a chord's name, written as here or in Harte syntax; None for neither.

    Signs may be letters: ``"F#m7b5"``.

    >>> read_chord("F♯m7♭5/A"), read_chord("Verse")
    ('F#:hdim7/b3', None)
    """
    if len(text) > _LONGEST_CHARS:
        return None
    if text in (NO_CHORD, NO_CHORD_TEXT):
        return NO_CHORD
    match = _WRITTEN.fullmatch(_with_letters(text))
    if match is not None and match[2] in KINDS_BY_TEXT:
        return label_chord(match[1], KINDS_BY_TEXT[match[2]], bass=match[3] or "")
    return text if parse_chord(text) is not None else None


def write_key(key: Key) -> str:
    """Name a key as its tonic's chord: ``"F♯m"``."""
    return with_signs(key.tonic) + ("m" if key.mode == "minor" else "")


def with_signs(name: str) -> str:
    """Return a note's name with ♭ and ♯ in place of letters."""
    return name.replace("b", "♭").replace("#", "♯")


def _with_letters(text: str) -> str:
    return text.replace("♭", "b").replace("♯", "#")
