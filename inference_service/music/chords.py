"""Conversion between Harte labels and the chord symbols of lead sheets and MusicXML.

Labels follow Harte et al., "Symbolic representation of musical chords" (ISMIR 2005):
``ROOT[:QUALITY][(DEGREES)][/BASS]``. The written text follows common lead sheets (m7, maj7,
m7♭5); the kind is one of MusicXML's ``kind-value``.
:mod:`~inference_service.music.chord_names` names whole chords in a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from inference_service.music.events import NO_CHORD
from inference_service.music.pitch import fifths_of, pitch_class
from inference_service.music.score import ScoreChord

_LABEL: Final = re.compile(
    r"(?P<root>[A-G][#b]{0,2})(?::(?P<quality>[a-z0-9]*)(?P<degrees>\([^()]*\))?)?"
    r"(?:/(?P<bass>[#b]*\d{1,2}))?"
)

# Harte's shorthand to MusicXML's kind, the written text, and the chord tones in fifths above the
# root.
_QUALITIES: Final[dict[str, tuple[str, str, tuple[int, ...]]]] = {
    "maj": ("major", "", (0, 4, 1)),
    "min": ("minor", "m", (0, -3, 1)),
    "dim": ("diminished", "dim", (0, -3, -6)),
    "aug": ("augmented", "+", (0, 4, 8)),
    "maj6": ("major-sixth", "6", (0, 4, 1, 3)),
    "min6": ("minor-sixth", "m6", (0, -3, 1, 3)),
    "7": ("dominant", "7", (0, 4, 1, -2)),
    "maj7": ("major-seventh", "maj7", (0, 4, 1, 5)),
    "min7": ("minor-seventh", "m7", (0, -3, 1, -2)),
    "minmaj7": ("major-minor", "m(maj7)", (0, -3, 1, 5)),
    "dim7": ("diminished-seventh", "dim7", (0, -3, -6, -9)),
    "hdim7": ("half-diminished", "m7♭5", (0, -3, -6, -2)),
    "aug7": ("augmented-seventh", "+7", (0, 4, 8, -2)),
    "sus2": ("suspended-second", "sus2", (0, 2, 1)),
    "sus4": ("suspended-fourth", "sus4", (0, -1, 1)),
    "sus4(b7)": ("suspended-fourth", "7sus4", (0, -1, 1, -2)),
    "9": ("dominant-ninth", "9", (0, 4, 1, -2, 2)),
    "maj9": ("major-ninth", "maj9", (0, 4, 1, 5, 2)),
    "min9": ("minor-ninth", "m9", (0, -3, 1, -2, 2)),
    "11": ("dominant-11th", "11", (0, 4, 1, -2, 2, -1)),
    "min11": ("minor-11th", "m11", (0, -3, 1, -2, 2, -1)),
    "13": ("dominant-13th", "13", (0, 4, 1, -2, 2, 3)),
    "maj13": ("major-13th", "maj13", (0, 4, 1, 5, 2, 3)),
    "min13": ("minor-13th", "m13", (0, -3, 1, -2, 2, 3)),
    "5": ("power", "5", (0, 1)),
    "1": ("power", "5", (0,)),
}

SHORTHANDS_BY_TEXT: Final = {
    text.replace("♭", "b"): short for short, (_, text, _) in reversed(_QUALITIES.items())
}
"""Harte's shorthand by the written text, with letters for accidentals."""

_SHORTHANDS: Final = {kind: short for short, (kind, _, _) in reversed(_QUALITIES.items())}

# For kinds without a shorthand: a part of their name and the shorthand to use, first match wins.
_LIKE_KINDS: Final = {
    "major-11": "maj9", "minor-": "min7", "dominant": "7", "seventh": "7", "German": "7",
    "minor": "min", "Tristan": "hdim7", "dim": "dim", "aug": "aug", "": "maj",
}  # fmt: skip

# Degrees of the major scale in fifths above the root.
_DEGREE_FIFTHS: Final = {1: 0, 2: 2, 3: 4, 4: -1, 5: 1, 6: 3, 7: 5}


# Simplified chords for beginners; qualities not listed are triads or sevenths already.
_SIMPLER: Final = {
    "maj6": "maj", "min6": "min", "minmaj7": "min", "aug7": "7", "sus2": "maj", "sus4": "maj",
    "sus4(b7)": "7", "9": "7", "maj9": "maj7", "min9": "min7", "11": "7", "min11": "min7",
    "13": "7", "maj13": "maj7", "min13": "min7", "1": "5",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChordName:
    """A parsed chord label.

    Attributes
    ----------
    root : str
        Root as in the label, such as ``"Bb"``.
    kind : str
        MusicXML's ``kind-value``.
    text : str
        Suffix written after the root, such as ``"m7"``.
    fifths : tuple of int
        Chord tones in fifths above the root.
    bass_fifths : int or None
        Bass in fifths above the root; None if the root is the bass.
    """

    root: str
    kind: str
    text: str
    fifths: tuple[int, ...]
    bass_fifths: int | None


@lru_cache(maxsize=1024)
def parse_chord(label: str) -> ChordName | None:
    """Parse a Harte label; return None for ``N``, ``X`` and invalid labels.

    A quality without a shorthand is reduced to the triad or seventh that it begins with. Degrees
    in parentheses are omitted, as lead sheets usually do, but for the seventh of a suspension.

    >>> parse_chord("A:min7").text
    'm7'
    """
    match = _LABEL.fullmatch(label)
    if match is None:
        return None
    quality = (match["quality"] or "maj") + (match["degrees"] or "")
    kind, text, fifths = _QUALITIES[_known_quality(quality)]
    bass = _degree_fifths(match["bass"]) if match["bass"] else 0
    return ChordName(match["root"], kind, text, fifths, bass or None)


def is_chord_tone(pitch: int, label: str) -> bool:
    """Whether a pitch belongs to the chord that a Harte label names."""
    chord = parse_chord(label)
    if chord is None:
        return False
    root = pitch_class(chord.root)
    return any((root + 7 * fifths - pitch) % 12 == 0 for fifths in chord.fifths)


def _known_quality(quality: str) -> str:
    """Return the longest shorthand that a quality begins with."""
    return next(
        (q for q in sorted(_QUALITIES, key=len, reverse=True) if quality.startswith(q)), "maj"
    )


def label_chord(
    root: str, kind: str, degrees: Iterable[tuple[str, int, int]] = (), bass: str = ""
) -> str | None:
    """Write a MusicXML chord symbol as a Harte label; return None if it has no root.

    Parameters
    ----------
    root, bass : str
        Names such as ``"Bb"``. An empty bass means the root.
    kind : str
        MusicXML's ``kind-value``. One without a shorthand is reduced to its triad or seventh.
    degrees : iterable of (str, int, int)
        ``add``, ``alter`` or ``subtract``, the degree, and the alteration in semitones.

    >>> label_chord("F#", "half-diminished", bass="A")
    'F#:hdim7/b3'
    """
    if kind == "none":
        return NO_CHORD
    if not root:
        return None
    shorthand = _SHORTHANDS.get(kind) or next(
        short for part, short in _LIKE_KINDS.items() if part in kind
    )
    changes = [text for degree in degrees for text in _write_degree(*degree)]
    return join_label(root, shorthand + (f"({','.join(changes)})" if changes else ""), bass)


def join_label(root: str, shorthand: str, bass: str = "") -> str:
    """Return the label of a shorthand over a bass, which is a note's name; empty for the root.

    >>> join_label("G", "sus4(b7)", "D")
    'G:sus4(b7)/5'
    """
    fifths = fifths_of(bass) - fifths_of(root) if bass else 0
    return f"{root}:{shorthand}{f'/{_write_fifths(fifths)}' if fifths else ''}"


def _write_degree(change: str, degree: int, alter: int) -> list[str]:
    """Return the degrees to write in a label for one change; ``*`` marks an omission."""
    signs = "#" * alter if alter > 0 else "b" * -alter
    if change == "subtract":
        return [f"*{signs}{degree}"]
    return [f"*{degree}", f"{signs}{degree}"] if change == "alter" else [f"{signs}{degree}"]


def _write_fifths(fifths: int) -> str:
    """Name an interval above the root, given in fifths, as a degree of the major scale."""
    alter, index = divmod(fifths + 1, 7)
    return ("#" * alter if alter > 0 else "b" * -alter) + str((4, 1, 5, 2, 6, 3, 7)[index])


def simplify_label(label: str) -> str:
    """Reduce a Harte label to a triad or a seventh in root position.

    Suspensions become major triads; sixths, added notes and the bass are dropped. Invalid labels
    are returned unchanged.

    >>> simplify_label("Bb:min9/b3")
    'Bb:min7'
    """
    match = _LABEL.fullmatch(label)
    if match is None:
        return label
    quality = _known_quality(match["quality"] or "maj")
    simple = _SIMPLER.get(quality, quality)
    if simple in ("maj", "min") and "b7" in (match["degrees"] or ""):
        simple = {"maj": "7", "min": "min7"}[simple]
    return f"{match['root']}:{simple}"


def simplify_chords(chords: Iterable[ScoreChord]) -> tuple[ScoreChord, ...]:
    """Simplify chord symbols, and drop those that have become equal to their predecessor."""
    simple: list[ScoreChord] = []
    for chord in chords:
        label = simplify_label(chord.label)
        if not simple or simple[-1].label != label:
            simple.append(replace(chord, label=label))
    return tuple(simple)


def _degree_fifths(degree: str) -> int:
    number = (int(degree.lstrip("#b")) - 1) % 7 + 1
    return _DEGREE_FIFTHS[number] + 7 * (degree.count("#") - degree.count("b"))
