"""What a continuation is worth: terms from 0 to 1, and their weighted mean.

Of harmony
    ``likelihood``: no unlikelier than the style's usual bars. ``surprise``: as surprising as they
    are, no more and no less, moved by the boldness asked for (Temperley, "Music and Probability",
    2007, on surprise as what listeners measure). ``repetition``: bars come again as often as they
    did. ``rhythm``: chords change as often. ``vocabulary``: steps from chord to chord that the
    piece has made before. ``sound``: no bar is without a chord. ``tonality``: no more chords are
    remote than were. ``cadence``: phrases end on a tonic or a dominant, the last by way of the
    dominant.
Of melody
    ``likelihood`` and ``surprise`` as above, by the note. ``consonance``: notes on beats belong to
    the chord. ``contour``: small intervals, leaps that turn back, all within the given register.
    ``kinship``: figures of two and three moves that the piece has. ``rhythm``: its durations, its
    places in the bar, and no divisions of the beat but its own. ``density``: as many notes in a
    bar. ``voice_leading``: no fifths and octaves in parallel with the bass. ``cadence``: rest at
    the ends of phrases, the tonic at the last. ``join``: it begins near where the given melody
    stopped. ``sound``: no more bars are silent.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from math import exp, log, log2
from typing import Final

from inference_service.continuation.analysis import (
    PHRASE_BARS,
    Analysis,
    Habits,
    describe_habits,
    name_cadence,
)
from inference_service.continuation.degrees import SILENCE, find_function
from inference_service.continuation.derivation import Derivation, Likelihoods
from inference_service.continuation.harmony import Slots, list_changes
from inference_service.continuation.melody import TICKS, HarmonyAt, MelodyBar, Piece
from inference_service.continuation.styles import Usual

HARMONY_WEIGHTS: Final = {
    "likelihood": 1.0,
    "surprise": 2.0,
    "repetition": 1.5,
    "rhythm": 1.0,
    "vocabulary": 1.0,
    "cadence": 1.5,
    "sound": 4.0,
    "tonality": 2.0,
}
MELODY_WEIGHTS: Final = {
    "likelihood": 0.5,
    "surprise": 1.0,
    "consonance": 2.0,
    "contour": 2.0,
    "kinship": 2.0,
    "rhythm": 3.0,
    "density": 2.0,
    "voice_leading": 0.5,
    "cadence": 1.5,
    "join": 0.5,
    "sound": 3.0,
}

_CADENCES: Final = {"authentic": 1.0, "plagal": 0.7, "half": 0.8, "deceptive": 0.6, "none": 0.2}
_BOLD: Final = 0.35
"""Of the usual surprise: by how much the boldest is over it."""

_EXCESS: Final = 8.0
"""A fault in a twelfth more of the music halves a term."""


def weigh(terms: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the weighted mean of terms."""
    total = sum(weights[name] for name in terms)
    return sum(weights[name] * value for name, value in terms.items()) / total


def count_bits(derivation: Derivation, likelihoods: Likelihoods) -> float:
    """Return how surprising a derivation is under probabilities that have not moved."""
    return -sum(
        log2(max(likelihoods.after(rule, context)[production], 1e-12))
        for rule, context, production in derivation.choices
    )


def _judge_excess(found: float, given: float) -> float:
    """Return what a term is worth where a larger share of the music is at fault than was given."""
    return exp(-_EXCESS * max(found - given, 0.0))


def judge_surprise(bits: float, usual: Usual, boldness: float) -> dict[str, float]:
    """Return the terms ``likelihood`` and ``surprise`` of so many bits by the bar or note."""
    off = (bits - usual.mean_bits) / usual.deviation_bits
    target = usual.mean_bits * (1.0 + _BOLD * boldness)
    missed = (bits - target) / usual.deviation_bits
    return {
        "likelihood": 1.0 / (1.0 + exp(min(2.0 * (off - 1.0), 50.0))),
        "surprise": exp(-0.5 * missed**2),
    }


# ------------------------------------------------------------------------------------- harmony


def judge_harmony(slots: Sequence[Slots], analysis: Analysis, first_end: int) -> dict[str, float]:
    """Return the terms of new bars' chords but ``likelihood`` and ``surprise``.

    ``first_end`` is the new bar with which the first phrase ends.
    """
    given = analysis.slots
    together = [*given, *slots]
    wanted = _share_again(given, 0)
    found = _share_again(together, len(given))
    changes = list_changes(together[len(given) - 1 :])
    ratio = max(len(changes) - 1, 0.5) / len(slots) / analysis.changes_per_bar
    known = set(pairwise(analysis.degrees))
    steps = list(pairwise(changes))
    ends = [_judge_end(slots, end, analysis) for end in range(first_end, len(slots), PHRASE_BARS)]
    last = _judge_end(slots, len(slots) - 1, analysis)
    return {
        "repetition": 1.0 - abs(found - wanted),
        "rhythm": exp(-abs(log(ratio))),
        "vocabulary": sum(step in known for step in steps) / len(steps) if steps else 1.0,
        "cadence": (sum(ends) + 2.0 * last) / (len(ends) + 2.0),
        "sound": 1.0 - sum(SILENCE in bar for bar in slots) / len(slots),
        "tonality": _judge_excess(_share_remote(slots), _share_remote(given)),
    }


def _judge_end(slots: Sequence[Slots], bar: int, analysis: Analysis) -> float:
    if bar == len(slots) - 1:
        return _CADENCES[name_cadence(slots, bar, analysis.key)]
    return 1.0 if find_function(slots[bar][-1]) in ("tonic", "dominant") else 0.3


def _share_remote(slots: Sequence[Slots]) -> float:
    """Return the share of the time whose chord is of no related key."""
    shares = [sum(find_function(d) == "remote" for d in bar) / len(bar) for bar in slots]
    return sum(shares) / len(shares)


def _share_again(slots: Sequence[Slots], first: int) -> float:
    """Return the share of bars, from one on, that are as a bar two, four or eight before."""
    again = [
        any(index >= back and slots[index] == slots[index - back] for back in (2, 4, 8))
        for index in range(max(first, 2), len(slots))
    ]
    return sum(again) / len(again) if again else 0.0


# -------------------------------------------------------------------------------------- melody


def judge_melody(
    bars: Sequence[MelodyBar], analysis: Analysis, harmony_at: HarmonyAt, first_end: int
) -> dict[str, float]:
    """Return the terms of new bars' melody but ``likelihood`` and ``surprise``.

    ``harmony_at`` counts bars from the first given one.
    """
    offset = len(analysis.melody)
    attacks = [(offset + i, piece) for i, bar in enumerate(bars) for piece in bar.attacks]
    pitches = [_pitch(piece) for _, piece in attacks]
    before = [_pitch(piece) for bar in analysis.melody for piece in bar.attacks]
    if not attacks:
        return dict.fromkeys(set(MELODY_WEIGHTS) - {"likelihood", "surprise"}, 0.0)
    habits = describe_habits(bars)
    density = len(attacks) / len(bars) / max(analysis.notes_per_bar, 0.5)
    rhythm = _overlap(habits.durations, analysis.habits.durations)
    rhythm += _overlap(habits.onsets, analysis.habits.onsets)
    foreign = _share_foreign(habits, analysis.habits) if before else 0.0
    return {
        "consonance": _judge_consonance(attacks, harmony_at),
        "contour": _judge_contour(pitches, analysis),
        "kinship": _judge_kinship(habits.intervals, analysis.habits.intervals),
        "rhythm": rhythm / 2.0 * _judge_excess(foreign, 0.0),
        "density": exp(-2.0 * abs(log(density))),
        "voice_leading": _judge_voice_leading(attacks, harmony_at),
        "cadence": _judge_rest(bars, analysis, first_end),
        "join": exp(-max(abs(pitches[0] - before[-1]) - 4, 0) / 4.0) if before else 1.0,
        "sound": _judge_excess(_share_silent(bars), _share_silent(analysis.melody)),
    }


def _share_foreign(found: Habits, given: Habits) -> float:
    """Return the share of what begins between beats where nothing of its kind begins."""
    return sum(
        share
        for (begins, place), share in found.divisions.items()
        if place and (begins, place) not in given.divisions
    )


def _share_silent(bars: Sequence[MelodyBar]) -> float:
    """Return the share of bars in which nothing begins."""
    return sum(not bar.attacks for bar in bars) / len(bars) if bars else 0.0


def _pitch(piece: Piece) -> int:
    assert isinstance(piece.pitch, int)
    return piece.pitch


def _overlap(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    """Return what two distributions have in common, 1 where there is nothing to compare with."""
    if not other:
        return 1.0
    return sum(min(share, other.get(key, 0.0)) for key, share in one.items())


def _judge_consonance(attacks: Sequence[tuple[int, Piece]], harmony_at: HarmonyAt) -> float:
    weighed = [
        (min(p.stop - p.start, 2 * TICKS), _pitch(p) in harmony_at(bar, p.start).chord)
        for bar, p in attacks
        if p.start % TICKS == 0
    ]
    total = sum(length for length, _ in weighed)
    # four fifths of it is as much as songs have
    return min(sum(length for length, fits in weighed if fits) / total / 0.8, 1.0) if total else 1.0


def _judge_contour(pitches: Sequence[int], analysis: Analysis) -> float:
    inside = sum(analysis.low - 2 <= p <= analysis.high + 2 for p in pitches) / len(pitches)
    moves = [b - a for a, b in pairwise(pitches)]
    if not moves:
        return inside * 0.5
    small = sum(abs(move) <= 4 for move in moves) / len(moves)
    wide = sum(abs(move) > 9 for move in moves) / len(moves)
    leaps = [(a, b) for a, b in pairwise(moves) if abs(a) > 5]
    turned = sum(a * b < 0 and abs(b) <= 5 for a, b in leaps) / len(leaps) if leaps else 1.0
    still = sum(move == 0 for move in moves) / len(moves)
    spread = min((max(pitches) - min(pitches)) / 7.0, 1.0)
    shape = (min(small / 0.75, 1.0) + turned + spread + min((1.0 - still) / 0.7, 1.0)) / 4.0
    return inside**2 * shape * (1.0 - wide)


def _judge_kinship(
    found: Mapping[tuple[Hashable, ...], float], given: Mapping[tuple[Hashable, ...], float]
) -> float:
    """Return the share of figures that the piece has; half of them is as much as songs keep."""
    if not given or not found:
        return 1.0 if not given else 0.0
    total = sum(found.values())
    return min(sum(share for figure, share in found.items() if figure in given) / total / 0.5, 1.0)


def _judge_voice_leading(attacks: Sequence[tuple[int, Piece]], harmony_at: HarmonyAt) -> float:
    """Return 1 less the share of steps in which a fifth or an octave with the bass moves on."""
    steps = wrong = 0
    for (bar, one), (next_bar, other) in pairwise(attacks):
        bass, next_bass = harmony_at(bar, one.start).root, harmony_at(next_bar, other.start).root
        if bass == next_bass or one.pitch == other.pitch:
            continue
        steps += 1
        interval = (_pitch(one) - bass) % 12
        wrong += interval in (0, 7) and interval == (_pitch(other) - next_bass) % 12
    return 1.0 - wrong / steps if steps else 1.0


def _judge_rest(bars: Sequence[MelodyBar], analysis: Analysis, first_end: int) -> float:
    ends = range(first_end, len(bars), PHRASE_BARS)
    rest = [bars[end].repose for end in ends]
    last = next((bar.attacks[-1] for bar in reversed(bars) if bar.attacks), None)
    assert last is not None
    third = 4 if analysis.key.mode == "major" else 3
    tonic = (analysis.tonic + (0 if analysis.key.mode == "major" else 9)) % 12
    worth = {0: 1.0, third: 0.6, 7: 0.5}.get((_pitch(last) - tonic) % 12, 0.0)
    return (sum(min(r / 0.4, 1.0) for r in rest) + 2.0 * worth) / (len(rest) + 2.0)
