"""What is wrong with files from anywhere, each fault with a filter of its own.

Some filters mend a piece or take lines and notes out of it: ``Piece -> Piece``. Others say whether
a whole one is of use: ``Piece -> bool``. :mod:`.survey` applies them in order and counts what each
of them takes. All are pure; :class:`Known` alone remembers what it has seen.

Ranges of instruments are those that players reach, with downtuned strings and harmonics, not those
of good writing. The other limits are as wide as music that somebody plays.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.families import family_of
from model_zoo.training.sources.piece import (
    OFFSET,
    ONSET,
    PITCH,
    VELOCITY,
    Line,
    Notes,
    Piece,
    end_of,
)

RANGES: Final = {
    "piano": (21, 108),
    "mallets": (36, 108),
    "organ": (24, 108),
    "guitar": (28, 92),
    "bass": (21, 67),
    "strings": (24, 105),
    "voice": (33, 92),
    "brass": (24, 88),
    "winds": (33, 108),
    "synth": (12, 120),
}
"""Lowest and highest pitch that each family sounds."""

VOICES: Final = {"guitar": 8, "bass": 4, "voice": 8, "brass": 8, "winds": 8}
"""How many notes of a line sound at once, at most; of other families, :data:`MANY_VOICES`."""

MANY_VOICES: Final = 24
UNPITCHED: Final = range(115, 128)
"""Programs of woodblocks, reversed cymbals, birds and helicopters: sounds without a pitch."""

DURATION_S: Final = (0.01, 30.0)
ODD_SHARE: Final = 0.3
"""A line of which so much is out of range names the wrong instrument."""

MIN_LINE_NOTES: Final = 4
MIN_NOTES: Final = 16
MIN_LENGTH_S: Final = 10.0
BPM: Final = (30.0, 300.0)
TEMPO_RATIO: Final = 6.0
"""Between a piece's slowest and fastest beats, but for a hundredth of each."""

ONSETS_PER_S: Final = (0.3, 25.0)

FOLLOWED: Final = 0.3
"""How much onsets gather about the beats that they follow, at least; POP909's do at 0.5 to 1, and
at 0.03 about beats of another tempo."""

PERCUSSION: Final = range(35, 82)
"""General MIDI's percussion keys."""

OTHER_DRUMS: Final = {
    22: 42, 26: 46, 58: 43,  # Roland's TD: the hi-hat's edge, closed and open; a tom's rim
    27: 75, 28: 39, 29: 42, 30: 46, 31: 37, 32: 37, 33: 37, 34: 53,  # GS: clicks and scratches
    82: 70, 83: 53, 84: 53, 85: 75, 86: 63, 87: 64,  # GS: shaker, bells, castanets, surdos
}  # fmt: skip
"""Keys beside General MIDI's, and what of it sounds most like them."""

_DRUM_NAMES: Final = re.compile(
    r"\b(?:drum ?(?:s|kit|set)?|perc(?:ussions?)?|batterie|bateria|batteria|schlagzeug)\b"
)
_SHINGLE: Final = 8
_SAMPLING: Final = 4
_SIMILAR: Final = 0.25
"""Of a fingerprint, how much two versions share; of POP909's songs, 99 in 100 share less than 0.13
with any other, and versions with other tempos, keys and slips of the hand more than 0.25."""
_FEW: Final = 8


def name_drums(piece: Piece) -> Piece:
    """Make drums of lines that are called so and are not on the drums' channel."""

    def name(line: Line) -> Line:
        called = _DRUM_NAMES.search(line.name.casefold()) is not None
        is_key = np.isin(line.notes[:, PITCH], PERCUSSION)
        if line.role == "drums" or not called or is_key.sum() < 0.9 * len(is_key):
            return line
        return replace(line, role="drums", program=None)

    return replace(piece, lines=tuple(name(line) for line in piece.lines))


def map_drums(piece: Piece) -> Piece:
    """Translate other makers' percussion keys to General MIDI; leave out those nobody knows."""

    def translate(line: Line) -> Line:
        if line.role != "drums":
            return line
        notes = line.notes.copy()
        notes[:, PITCH] = [OTHER_DRUMS.get(int(key), key) for key in notes[:, PITCH]]
        return replace(line, notes=notes[np.isin(notes[:, PITCH], PERCUSSION)])

    return replace(piece, lines=tuple(translate(line) for line in piece.lines))


def drop_effects(piece: Piece) -> Piece:
    """Leave out lines of noises: what has no pitch has no notes to label."""
    kept = [line for line in piece.lines if line.program is None or line.program not in UNPITCHED]
    return replace(piece, lines=tuple(kept))


def drop_odd_notes(piece: Piece) -> Piece:
    """Leave out notes that the instrument does not have, or too short or long to be meant.

    Where a key is struck while it sounds, the earlier note ends there; where it is struck twice at
    once, one is kept. A line that is out of range for much of its course is left out.
    """
    kept = [_drop_odd_notes(line) for line in piece.lines]
    return replace(piece, lines=tuple(line for line in kept if line is not None))


def _drop_odd_notes(line: Line) -> Line | None:
    notes = line.notes[np.lexsort((line.notes[:, PITCH], line.notes[:, ONSET]))]
    if line.role != "drums":
        low, high = RANGES[family_of(line.program)] if line.program is not None else (21, 108)
        inside = (notes[:, PITCH] >= low) & (notes[:, PITCH] <= high)
        if len(notes) and np.mean(~inside) > ODD_SHARE:
            return None
        notes = _untangle(notes[inside])
        duration_s = notes[:, OFFSET] - notes[:, ONSET]
        notes = notes[(duration_s >= DURATION_S[0]) & (duration_s <= DURATION_S[1])]
    return replace(line, notes=notes)


def _untangle(notes: Notes) -> Notes:
    """End each note where its key is struck again."""
    untangled = notes.copy()
    order = np.lexsort((notes[:, ONSET], notes[:, PITCH]))
    first, second = order[:-1], order[1:]
    same = notes[first, PITCH] == notes[second, PITCH]
    untangled[first[same], OFFSET] = np.minimum(
        notes[first[same], OFFSET], notes[second[same], ONSET]
    )
    return untangled


def drop_joke_lines(piece: Piece) -> Piece:
    """Leave out lines of a few notes, of one repeated note, and of more than hands can play."""

    def is_music(line: Line) -> bool:
        if len(line.notes) < MIN_LINE_NOTES:
            return False
        if line.role == "drums":
            return True
        if len(np.unique(line.notes[:, PITCH])) < 2:
            return False
        family = family_of(line.program) if line.program is not None else "piano"
        crowded = count_voices(line.notes) > VOICES.get(family, MANY_VOICES)
        return bool(np.mean(crowded) < 0.05)

    return replace(piece, lines=tuple(line for line in piece.lines if is_music(line)))


def count_voices(notes: Notes) -> NDArray[np.int64]:
    """Return how many notes sound at each onset, itself among them; shape (N,)."""
    onsets = np.sort(notes[:, ONSET])
    begun = np.searchsorted(onsets, onsets + 1e-3, side="right")
    ended = np.searchsorted(np.sort(notes[:, OFFSET]), onsets + 1e-3, side="right")
    return begun - ended


def drop_duplicate_lines(piece: Piece) -> Piece:
    """Leave out lines that play what an earlier one does, at any octave: a doubled guitar."""
    kept: list[Line] = []
    seen: list[set[tuple[int, int]]] = []
    for line in piece.lines:
        modulus = 128 if line.role == "drums" else 12
        steps = np.round(line.notes[:, ONSET] / 0.02).astype(int).tolist()
        pitches = (line.notes[:, PITCH] % modulus).astype(int).tolist()
        events = set(zip(steps, pitches, strict=True))
        if not any(len(events & other) > 0.9 * max(len(events), 1) for other in seen):
            kept.append(line)
            seen.append({(step + near, pitch) for step, pitch in events for near in (-1, 0, 1)})
    return replace(piece, lines=tuple(kept))


def drop_unheard_beats(piece: Piece) -> Piece:
    """Forget the beats where the notes do not follow them.

    Who records without a click leaves a file whose beats, at its default of 120 a minute, mean
    nothing.
    """
    if not len(piece.beats_s) or concentration(piece) >= FOLLOWED:
        return piece
    return replace(piece, beats_s=np.zeros(0), positions=np.zeros(0, np.int64))


def concentration(piece: Piece) -> float:
    """Return how much onsets gather at one place in halves, thirds or quarters of a beat, 0 to 1.

    The length of the mean of unit vectors whose angle is an onset's phase; of onsets anywhere it
    is about the inverse root of their number.
    """
    phase = _phases(piece)
    if not len(phase):
        return 0.0
    return max(float(np.abs(np.mean(np.exp(2j * np.pi * n * phase)))) for n in (1, 2, 3, 4))


def _phases(piece: Piece) -> NDArray[np.float64]:
    """Return where in its beat each onset stands, in beats."""
    onsets = np.concatenate([line.notes[:, ONSET] for line in piece.lines] or [np.zeros(0)])
    if len(piece.beats_s) < 2:
        return np.zeros(0)
    inside = (onsets >= piece.beats_s[0]) & (onsets < piece.beats_s[-1])
    places = np.interp(onsets[inside], piece.beats_s, np.arange(len(piece.beats_s)))
    return np.asarray(places % 1.0, np.float64)


def mark_deadpan(piece: Piece) -> Piece:
    """Mark what stands exactly on a grid and has one loudness, so that it gets performed."""
    return replace(piece, deadpan=piece.deadpan or (is_on_grid(piece) and is_flat(piece)))


def is_on_grid(piece: Piece) -> bool:
    """Whether nearly all onsets stand on eighths or twelfths of a beat, to a 200th of it."""
    phase = _phases(piece)
    if not len(phase):
        return False
    errors = [np.abs(phase * n - np.round(phase * n)) / n for n in (8, 12)]
    return bool(np.mean(np.minimum(*errors) < 0.005) > 0.95)


def is_flat(piece: Piece) -> bool:
    """Whether lines have hardly any dynamics: most of each one's notes share a velocity."""
    shares = [
        max(Counter(line.notes[:, VELOCITY].tolist()).values()) / len(line.notes)
        for line in piece.lines
        if len(line.notes)
    ]
    return bool(shares) and float(np.median(shares)) > 0.8


def has_music(piece: Piece) -> bool:
    """Whether there is enough in it to hear."""
    return sum(len(line.notes) for line in piece.lines) >= MIN_NOTES and (
        end_of(piece) >= MIN_LENGTH_S
    )


def has_plausible_tempo(piece: Piece) -> bool:
    """Whether beats and notes come as fast as people play, and at no wildly changing tempo."""
    onsets = np.unique(np.concatenate([line.notes[:, ONSET] for line in piece.lines]).round(2))
    rate = len(onsets) / max(float(onsets[-1] - onsets[0]), 1.0)
    if not ONSETS_PER_S[0] <= rate <= ONSETS_PER_S[1]:
        return False
    beats_s = np.diff(piece.beats_s)
    if not len(beats_s):
        return True
    fast_s, usual_s, slow_s = np.quantile(beats_s, [0.01, 0.5, 0.99])
    return bool(
        BPM[0] <= 60.0 / max(float(usual_s), 1e-6) <= BPM[1]
        and float(slow_s) <= TEMPO_RATIO * max(float(fast_s), 1e-6)
    )


def allows_weights(piece: Piece) -> bool:
    """Whether its terms let weights be trained on it that are given away."""
    return piece.origin.licence.allows_weights


def fingerprint(piece: Piece) -> frozenset[int]:
    """Return numbers for the turns of its melodies, the same in every key and at every tempo.

    Of each pitched line's highest notes, each eight in a row make a shingle: the steps between
    them, and whether each is longer, shorter or as long as the one before. Every fourth of the
    shingles' hashes is kept, which are the same ones in every piece.
    """
    numbers: set[int] = set()
    for line in piece.lines:
        if line.role != "drums":
            numbers.update(_shingles(line.notes))
    return frozenset(numbers)


def _shingles(notes: Notes) -> list[int]:
    order = np.lexsort((-notes[:, PITCH], notes[:, ONSET].round(2)))
    onsets, pitches = notes[order, ONSET], notes[order, PITCH].astype(np.int64)
    first = np.diff(onsets, prepend=-1.0) > 0.03
    onsets, pitches = onsets[first], pitches[first]
    if len(onsets) <= _SHINGLE:
        return []
    steps = np.clip(np.diff(pitches), -16, 15) + 16
    ratios = np.log2(np.diff(onsets)[1:] / np.diff(onsets)[:-1])
    lengths = np.digitize(ratios, [-0.6, 0.6])
    words = steps[1:] * 3 + lengths
    hashes = np.zeros(len(words) - _SHINGLE + 2, np.uint64)
    for offset in range(_SHINGLE - 1):
        word = words[offset : len(words) - _SHINGLE + 2 + offset].astype(np.uint64)
        hashes = (hashes ^ word) * np.uint64(0x100000001B3)  # FNV-1a, word by word
        hashes ^= hashes >> np.uint64(29)
    varied = np.lib.stride_tricks.sliding_window_view(steps[1:], _SHINGLE - 1).std(axis=1) > 0
    kept = hashes[varied & (hashes % np.uint64(_SAMPLING) == 0)]
    return [int(number) for number in kept]


@dataclass(slots=True)
class Known:
    """Fingerprints of the pieces seen so far."""

    _sizes: dict[str, int] = field(default_factory=dict)
    _owners: dict[int, list[str]] = field(default_factory=dict)

    def find(self, piece: Piece) -> str | None:
        """Return the name of an earlier piece that this one repeats; else remember it."""
        numbers = fingerprint(piece)
        if len(numbers) < _FEW:
            return None
        shared = Counter(name for number in numbers for name in self._owners.get(number, ()))
        for name, count in shared.most_common(1):
            if count > _SIMILAR * min(len(numbers), self._sizes[name]):
                return name
        self._sizes[piece.name] = len(numbers)
        for number in numbers:
            self._owners.setdefault(number, []).append(piece.name)
        return None
