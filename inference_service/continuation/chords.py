"""Estimate the chords of written music without chord symbols.

A hidden Markov model over beats, whose states are the 24 major and minor triads and no chord (after
Pardo and Birmingham, "Algorithms for chordal analysis", Computer Music Journal 26:2, 2002, and Sheh
and Ellis, ISMIR 2003). The best path explains the sounding pitch classes. The lowest of several
notes is evidence for a root, chords of the key and above all its tonic get a bonus, and changes are
cheapest at bar lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.continuation.degrees import signature_tonic
from inference_service.continuation.scale import MAJOR_SCALE
from inference_service.music.events import NO_CHORD
from inference_service.music.pitch import pitch_class, pitch_class_name
from inference_service.music.score import Bar, Score, ScoreChord

# Gains of the model. Set by hand; not fitted.
_TONE: Final = 1.0
_FOREIGN: Final = -0.9
_ROOT_BELOW: Final = 0.5
_APART: Final = 7
"""Least interval in semitones between lowest and highest note for the lowest to be a bass."""

_IN_KEY: Final = 0.15
_TONIC: Final = 0.05
_CHANGE: Final = -0.5
_CHANGE_WITHIN_BAR: Final = -1.1
_CHANGE_WITHIN_LINE: Final = -4.0
_NONE: Final = 24
_NONE_GAIN: Final = 0.05

Gains = NDArray[np.float64]


def estimate_chords(score: Score) -> tuple[ScoreChord, ...]:
    """Return the chord symbols of a score, or if it has none, chords estimated from its notes."""
    if any(chord.label != NO_CHORD for chord in score.chords):
        return score.chords
    bars = score.bars()
    gains, is_bar, is_line = _weigh(score, bars)
    beats = [bar.start_beats + beat for bar in bars for beat in range(_count_beats(bar))]
    chords: list[ScoreChord] = []
    for place, state in zip(beats, _find_path(gains, is_bar, is_line), strict=True):
        label = NO_CHORD
        if state != _NONE:
            root = pitch_class_name(state % 12, score.key_at(place))
            label = f"{root}:min" if state >= 12 else root
        if not chords or chords[-1].label != label:
            chords.append(ScoreChord(place, label))
    return tuple(chords)


def _count_beats(bar: Bar) -> int:
    return max(1, round(bar.length_beats))


def _weigh(score: Score, bars: Sequence[Bar]) -> tuple[Gains, NDArray[np.bool_], bool]:
    """Return the gain of each chord on each beat, and the structure of the piece.

    Returns
    -------
    gains : array, shape (T, 25)
    is_bar : array of bool, shape (T,)
        Whether a bar begins on the beat.
    is_line : bool
        Whether the piece is a single line, without a bass. The chords that such a line implies
        change less often than its notes suggest.
    """
    starts = [bar.start_beats for bar in bars]
    counts = [_count_beats(bar) for bar in bars]
    first, total = float(starts[0]), sum(counts)
    classes = np.zeros((total, 12))
    lowest, highest = np.full(total, 128), np.full(total, -1)
    for part in score.parts:
        for note in () if part.is_drum else part.notes:
            start = float(note.start_beats) - first
            stop = start + float(note.duration_beats)
            for beat in range(max(int(start), 0), min(int(np.ceil(stop)), total)):
                inside = min(stop, beat + 1) - max(start, beat)
                classes[beat, note.pitch % 12] += inside
                if inside > 0.2:
                    lowest[beat] = min(lowest[beat], note.pitch)
                    highest[beat] = max(highest[beat], note.pitch)
    templates = np.full((24, 12), _FOREIGN)
    roots = np.arange(24) % 12
    for state, root in enumerate(roots):
        third = 4 if state < 12 else 3
        templates[state, [root, (root + third) % 12, (root + 7) % 12]] = _TONE
    share = classes / np.maximum(classes.sum(axis=1, keepdims=True), 1.0)
    gains = np.full((total, 25), _NONE_GAIN)
    gains[:, :24] = share @ templates.T
    has_bass = highest - lowest >= _APART
    gains[:, :24] += _ROOT_BELOW * (has_bass[:, None] & (lowest[:, None] % 12 == roots))
    beat = 0
    for bar, count in zip(bars, counts, strict=True):
        key = score.key_at(bar.start_beats)
        gains[beat : beat + count, :24] += _IN_KEY * _in_key(signature_tonic(key))
        home = pitch_class(key.tonic) + (12 if key.mode == "minor" else 0)
        gains[beat : beat + count, home] += _TONIC
        beat += count
    is_bar = np.zeros(total, np.bool_)
    is_bar[np.cumsum([0, *counts[:-1]])] = True
    return gains, is_bar, not bool(has_bass.any())


def _in_key(tonic: int) -> NDArray[np.bool_]:
    """Return which triads consist of tones of a major scale."""
    scale = {(tonic + step) % 12 for step in MAJOR_SCALE}
    return np.array(
        [
            {state % 12, (state + (4 if state < 12 else 3)) % 12, (state + 7) % 12} <= scale
            for state in range(24)
        ]
    )


def _find_path(gains: Gains, is_bar: NDArray[np.bool_], is_line: bool) -> list[int]:
    """Return the states of greatest total gain (Viterbi).

    All changes of chord on a beat cost the same, so only the best previous state need be compared.
    """
    best = gains[0].copy()
    previous = np.zeros(gains.shape, np.int64)
    stay = np.arange(gains.shape[1])
    within = _CHANGE_WITHIN_LINE if is_line else _CHANGE_WITHIN_BAR
    for beat in range(1, len(gains)):
        leader = int(best.argmax())
        changed = best[leader] + (_CHANGE if is_bar[beat] else within)
        moves = changed > best
        previous[beat] = np.where(moves, leader, stay)
        best = np.where(moves, changed, best) + gains[beat]
    path = [int(best.argmax())]
    for beat in range(len(gains) - 1, 0, -1):
        path.append(int(previous[beat, path[-1]]))
    return path[::-1]
