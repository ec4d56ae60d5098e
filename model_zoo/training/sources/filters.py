"""Filters for the faults of files from unknown authors, one for each fault.

Some filters repair a piece or remove lines and notes from it (``Piece -> Piece``). Others decide
whether a whole piece is usable (``Piece -> bool``). :mod:`.survey` applies them in order and counts
what each removes. All are pure functions, except that :class:`Known` remembers what it has seen.

The limits were set by hand. Instrument ranges are what players can reach, including downtuned
strings and harmonics, rather than what orchestration books recommend; the other limits are wide
enough for any music that people play.
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
"""Lowest and highest pitch of each family."""

VOICES: Final = {"guitar": 8, "bass": 4, "voice": 8, "brass": 8, "winds": 8}
"""Maximum number of simultaneous notes in a line; :data:`MANY_VOICES` for other families."""

MANY_VOICES: Final = 24
UNPITCHED: Final = range(115, 128)
"""Programs without a pitch: woodblocks, reversed cymbals, birds, helicopters."""

DURATION_S: Final = (0.01, 30.0)
ODD_SHARE: Final = 0.3
"""A line with a larger share of its notes out of range names the wrong instrument."""

MIN_LINE_NOTES: Final = 4
MIN_NOTES: Final = 16
MIN_LENGTH_S: Final = 10.0
BPM: Final = (30.0, 300.0)
TEMPO_RATIO: Final = 6.0
"""Maximum ratio of the longest to the shortest beat, ignoring 1 % at each end."""

ONSETS_PER_S: Final = (0.3, 25.0)

FOLLOWED: Final = 0.3
"""Minimum :func:`concentration` of onsets that follow the beats. It is 0.5 to 1 for POP909, and
0.03 if POP909's notes are measured against beats of another tempo."""

PERCUSSION: Final = range(35, 82)
"""General MIDI's percussion keys."""

OTHER_DRUMS: Final = {
    22: 42, 26: 46, 58: 43,  # Roland TD: hi-hat edge, closed and open; tom rim
    27: 75, 28: 39, 29: 42, 30: 46, 31: 37, 32: 37, 33: 37, 34: 53,  # GS: clicks and scratches
    82: 70, 83: 53, 84: 53, 85: 75, 86: 63, 87: 64,  # GS: shaker, bells, castanets, surdos
}  # fmt: skip
"""Percussion keys outside General MIDI, each with the General MIDI key that sounds most like it."""

_DRUM_NAMES: Final = re.compile(
    r"\b(?:drum ?(?:s|kit|set)?|perc(?:ussions?)?|batterie|bateria|batteria|schlagzeug)\b"
)
_SHINGLE: Final = 8
_SAMPLING: Final = 4
_SIMILAR: Final = 0.25
"""Minimum share of a fingerprint that two versions of a work have in common. 99 % of POP909's songs
share less than 0.13 with any other song. Versions of one song made with another tempo, another key
and wrong notes share more than 0.25."""
_FEW: Final = 8


def name_drums(piece: Piece) -> Piece:
    """Mark lines as drums that are named like drums but are not on the drum channel."""

    def name(line: Line) -> Line:
        called = _DRUM_NAMES.search(line.name.casefold()) is not None
        is_key = np.isin(line.notes[:, PITCH], PERCUSSION)
        if line.role == "drums" or not called or is_key.sum() < 0.9 * len(is_key):
            return line
        return replace(line, role="drums", program=None)

    return replace(piece, lines=tuple(name(line) for line in piece.lines))


def map_drums(piece: Piece) -> Piece:
    """Translate vendors' percussion keys to General MIDI; drop unknown keys."""

    def translate(line: Line) -> Line:
        if line.role != "drums":
            return line
        notes = line.notes.copy()
        notes[:, PITCH] = [OTHER_DRUMS.get(int(key), key) for key in notes[:, PITCH]]
        return replace(line, notes=notes[np.isin(notes[:, PITCH], PERCUSSION)])

    return replace(piece, lines=tuple(translate(line) for line in piece.lines))


def drop_effects(piece: Piece) -> Piece:
    """Drop lines of sound effects: they have no pitch, hence no notes to label."""
    kept = [line for line in piece.lines if line.program is None or line.program not in UNPITCHED]
    return replace(piece, lines=tuple(kept))


def drop_odd_notes(piece: Piece) -> Piece:
    """Drop notes outside the instrument's range, and notes of implausible duration.

    If a pitch starts again while it sounds, the earlier note ends there; of two simultaneous notes
    of one pitch, one is kept. A line with more than :data:`ODD_SHARE` out of range is dropped.
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
    """End each note no later than the next onset of its pitch."""
    untangled = notes.copy()
    order = np.lexsort((notes[:, ONSET], notes[:, PITCH]))
    first, second = order[:-1], order[1:]
    same = notes[first, PITCH] == notes[second, PITCH]
    untangled[first[same], OFFSET] = np.minimum(
        notes[first[same], OFFSET], notes[second[same], ONSET]
    )
    return untangled


def drop_joke_lines(piece: Piece) -> Piece:
    """Drop lines that have few notes, a single pitch, or more notes at once than can be played."""

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
    """Return the number of notes that sound at each onset, including that note; shape (N,)."""
    onsets = np.sort(notes[:, ONSET])
    begun = np.searchsorted(onsets, onsets + 1e-3, side="right")
    ended = np.searchsorted(np.sort(notes[:, OFFSET]), onsets + 1e-3, side="right")
    return begun - ended


def drop_duplicate_lines(piece: Piece) -> Piece:
    """Drop lines that double an earlier line in any octave, such as a doubled guitar."""
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
    """Remove the beats of a piece whose notes do not follow them.

    A performance recorded without a click has the sequencer's default of 120 beats a minute, which
    says nothing about the music.
    """
    if not len(piece.beats_s) or concentration(piece) >= FOLLOWED:
        return piece
    return replace(piece, beats_s=np.zeros(0), positions=np.zeros(0, np.int64))


def concentration(piece: Piece) -> float:
    """Return how strongly onsets concentrate at one phase of a beat or its subdivisions, 0 to 1.

    The maximum, over whole, half, third and quarter beats, of the length of the mean resultant
    vector of the onsets' phases. For N uniformly distributed onsets it is about ``1 / sqrt(N)``.
    """
    phase = _phases(piece)
    if not len(phase):
        return 0.0
    return max(float(np.abs(np.mean(np.exp(2j * np.pi * n * phase)))) for n in (1, 2, 3, 4))


def _phases(piece: Piece) -> NDArray[np.float64]:
    """Return the position of each onset within its beat, in beats."""
    onsets = np.concatenate([line.notes[:, ONSET] for line in piece.lines] or [np.zeros(0)])
    if len(piece.beats_s) < 2:
        return np.zeros(0)
    inside = (onsets >= piece.beats_s[0]) & (onsets < piece.beats_s[-1])
    places = np.interp(onsets[inside], piece.beats_s, np.arange(len(piece.beats_s)))
    return np.asarray(places % 1.0, np.float64)


def mark_deadpan(piece: Piece) -> Piece:
    """Mark pieces that are exactly on a grid and without dynamics, so that they get performed."""
    return replace(piece, deadpan=piece.deadpan or (is_on_grid(piece) and is_flat(piece)))


def is_on_grid(piece: Piece) -> bool:
    """Whether 95 % of onsets are within 0.005 beats of an eighth or a twelfth of a beat."""
    phase = _phases(piece)
    if not len(phase):
        return False
    errors = [np.abs(phase * n - np.round(phase * n)) / n for n in (8, 12)]
    return bool(np.mean(np.minimum(*errors) < 0.005) > 0.95)


def is_flat(piece: Piece) -> bool:
    """Whether, in the median line, over 80 % of the notes have the same velocity."""
    shares = [
        max(Counter(line.notes[:, VELOCITY].tolist()).values()) / len(line.notes)
        for line in piece.lines
        if len(line.notes)
    ]
    return bool(shares) and float(np.median(shares)) > 0.8


def has_music(piece: Piece) -> bool:
    """Whether the piece has enough notes and is long enough."""
    return sum(len(line.notes) for line in piece.lines) >= MIN_NOTES and (
        end_of(piece) >= MIN_LENGTH_S
    )


def has_plausible_tempo(piece: Piece) -> bool:
    """Whether tempo and note rate are playable, and the tempo does not vary wildly."""
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
    """Whether the licence allows publishing weights trained on the piece."""
    return piece.origin.licence.allows_weights


def fingerprint(piece: Piece) -> frozenset[int]:
    """Return hashes of the piece's melodic patterns, invariant to transposition and tempo.

    Each run of eight notes in the top voice of a pitched line is a shingle: the intervals between
    the notes, and whether each is longer than, shorter than or as long as the previous one. Hashes
    divisible by four are kept, so that every piece is sampled alike.
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
    """Finds duplicates by the fingerprints of the pieces seen so far."""

    _sizes: dict[str, int] = field(default_factory=dict)
    _owners: dict[int, list[str]] = field(default_factory=dict)

    def find(self, piece: Piece) -> str | None:
        """Return the name of an earlier version of the piece, or remember it and return None."""
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
