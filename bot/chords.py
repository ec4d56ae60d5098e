"""Chord labels for people: Harte syntax to the letters that musicians read, bar by bar.

Labels follow Harte et al., "Symbolic representation of musical chords" (ISMIR 2005): a root, a
colon, a quality or intervals, and a bass as an interval from the root (``A:min7/b3``). Qualities
that have no common short form are shown by their nearest plain triad.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from bot.client.types import Beat, ChordSegment, Key

NO_CHORD: Final = "–"

_LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARP_NAMES: Final = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_FLAT_NAMES: Final = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
_MIXED_NAMES: Final = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_DEGREES: Final = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 11, 9: 14, 11: 17, 13: 21}
_QUALITIES: Final = {
    "maj": "", "min": "m", "dim": "dim", "aug": "+", "maj7": "maj7", "min7": "m7", "7": "7",
    "dim7": "dim7", "hdim7": "m7♭5", "minmaj7": "m(maj7)", "maj6": "6", "min6": "m6", "6": "6",
    "9": "9", "maj9": "maj9", "min9": "m9", "11": "11", "min11": "m11", "13": "13",
    "sus2": "sus2", "sus4": "sus4", "1": "5", "5": "5",
}  # fmt: skip
_LABEL = re.compile(
    r"(?P<root>[A-G][#b]*)(?::(?P<quality>[^/(]*)(?:\([^)]*\))?)?(?:/(?P<bass>.+))?"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: where it starts, and the names of the chords in it, in order."""

    start_s: float
    chords: tuple[str, ...]


def note_pitch_class(name: str) -> int:
    """``"F#"`` to 6; sharps and flats in any number.

    Raises
    ------
    KeyError
        If the letter is no note.
    """
    return (_LETTERS[name[0]] + name.count("#") - name.count("b")) % 12


def pretty_note(name: str) -> str:
    """``"F#"`` to "F♯", ``"Bb"`` to "B♭"."""
    return name[:1] + name[1:].replace("#", "♯").replace("b", "♭")


def fifths(key: Key) -> int:
    """The key's sharps (positive) or flats (negative): D major 2, C minor -3, -6 to 6."""
    relative_major = note_pitch_class(key.tonic) + (3 if key.mode == "minor" else 0)
    sharps = relative_major * 7 % 12
    return sharps - 12 if sharps > 6 or (sharps == 6 and "b" in key.tonic[1:]) else sharps


def _names(key: Key) -> tuple[str, ...]:
    """Pitch classes as a key writes them; near C major the borrowed chords have flats."""
    sharps = fifths(key)
    if sharps < 0:
        return _FLAT_NAMES
    return _MIXED_NAMES if sharps <= 2 else _SHARP_NAMES


def chord_name(label: str, key: Key, *, transpose_semitones: int = 0) -> str:
    """``"A:min7/b3"`` to "Am7/C".

    Parameters
    ----------
    label : str
        In Harte syntax.
    key : Key
        The key that it is shown in, after moving; decides between sharps and flats, but a root
        that does not move keeps its spelling.
    transpose_semitones : int
        How far to move the chord.

    Returns
    -------
    str
        :data:`NO_CHORD` for ``N``, ``X`` and what is not a chord.
    """
    match = _LABEL.fullmatch(label)
    if match is None:
        return NO_CHORD
    names = _names(key)
    root = note_pitch_class(match["root"]) + transpose_semitones
    written = names[root % 12] if transpose_semitones else pretty_note(match["root"])
    name = written + _quality(match["quality"] or "")
    if match["bass"] is None:
        return name
    return f"{name}/{names[(root + _interval_semitones(match['bass'])) % 12]}"


def _quality(quality: str) -> str:
    if quality in _QUALITIES:
        return _QUALITIES[quality]
    return "m" if quality.startswith("min") else ""


def _interval_semitones(interval: str) -> int:
    degree = interval.lstrip("#b")
    if not degree.isdecimal() or int(degree) not in _DEGREES:
        return 0
    accidentals = interval[: len(interval) - len(degree)]
    return _DEGREES[int(degree)] + accidentals.count("#") - accidentals.count("b")


def opening(
    chords: Sequence[ChordSegment], key: Key, count: int, *, transpose_semitones: int = 0
) -> list[str]:
    """The names of the first ``count`` chords, silence and repetitions left out."""
    names = (
        chord_name(chord.label, key, transpose_semitones=transpose_semitones) for chord in chords
    )
    heard = [name for name, _ in groupby(name for name in names if name != NO_CHORD)]
    return heard[:count]


def bars(
    chords: Sequence[ChordSegment],
    beats: Sequence[Beat],
    key: Key,
    *,
    transpose_semitones: int = 0,
) -> list[Bar]:
    """The chords of each bar, from the chord that sounds on each of its beats.

    A beat's chord is the one that sounds in its middle, so that a change slightly after the beat
    still belongs to it. Beats before the first downbeat make a bar of their own. Empty without
    beats or chords.
    """
    if not beats or not chords:
        return []
    starts_s = [chord.start_s for chord in chords]
    last_beat_s = beats[-1].time_s - beats[-2].time_s if len(beats) > 1 else 0.5
    nexts_s = [*(beat.time_s for beat in beats[1:]), beats[-1].time_s + last_beat_s]

    def sounding(beat: Beat, next_s: float) -> str:
        index = bisect_right(starts_s, (beat.time_s + next_s) / 2) - 1
        label = chords[index].label if index >= 0 else "N"
        return chord_name(label, key, transpose_semitones=transpose_semitones)

    written: list[Bar] = []
    names: list[str] = []
    start_s = beats[0].time_s
    for beat, next_s in zip(beats, nexts_s, strict=True):
        if beat.position == 1 and names:
            written.append(_bar(start_s, names))
            names, start_s = [], beat.time_s
        names.append(sounding(beat, next_s))
    return [*written, _bar(start_s, names)]


def _bar(start_s: float, names: list[str]) -> Bar:
    return Bar(start_s, tuple(name for name, _ in groupby(names)))
