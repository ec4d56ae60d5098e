"""Written names of chords and keys."""

from __future__ import annotations

from typing import NamedTuple

from inference_service.music.events import Key
from inference_service.music.pitch import fifths_of, name_of, pitch_class
from inference_service.notation.chords import parse_chord
from inference_service.notation.spelling import (
    single_accidental,
    spell_class,
)


class WrittenChord(NamedTuple):
    """The parts of a chord name, such as ``F♯``, ``m7♭5`` and ``/A``; only the root is required."""

    root: str
    suffix: str
    bass: str


def write_chord(label: str, key: Key) -> WrittenChord | None:
    """Spell a Harte label in a key; return None for ``N`` and invalid labels."""
    name = parse_chord(label)
    if name is None:
        return None
    root = spell_class(pitch_class(name.root), key)
    bass = ""
    if name.bass_fifths is not None:
        bass = "/" + with_signs(name_of(single_accidental(fifths_of(root) + name.bass_fifths)))
    return WrittenChord(with_signs(root), name.text, bass)


def write_key(key: Key) -> str:
    """Name a key like the chord on its tonic, such as ``F♯m``."""
    return with_signs(key.tonic) + ("m" if key.mode == "minor" else "")


def with_signs(name: str) -> str:
    """Replace ``b`` and ``#`` in a note name by ♭ and ♯."""
    return name.replace("b", "♭").replace("#", "♯")
