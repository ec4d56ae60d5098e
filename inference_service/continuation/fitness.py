"""The fitness of a continuation: a weighted mean of terms from 0 to 1.

Each term is 1 where its condition holds. "As given" means as in the given music.

Harmony
    - ``likelihood``: bars are no less probable than usual in the style.
    - ``surprise``: bars are as surprising as usual in the style, neither more nor less, shifted by
      the boldness (Temperley, "Music and Probability", 2007, on surprise in listening).
    - ``repetition``: bars recur as often as given.
    - ``rhythm``: chords change as often as given.
    - ``vocabulary``: chord progressions occur in the given music.
    - ``sound``: no bar is without a chord.
    - ``tonality``: no more chords are remote from the key than given.
    - ``cadence``: phrases end on a tonic or a dominant, the last with an authentic cadence.
Melody
    - ``likelihood`` and ``surprise``: as above, per note.
    - ``consonance``: notes on beats are chord tones.
    - ``contour``: intervals are small, leaps are followed by a turn, pitches are within the given
      register.
    - ``kinship``: figures of two or three intervals occur in the given music.
    - ``rhythm``: durations and positions in the bar are as given, without new divisions of the
      beat.
    - ``density``: as many notes per bar as given.
    - ``voice_leading``: no parallel fifths or octaves with the bass.
    - ``cadence``: phrases end with a long note or a rest, the last on the tonic.
    - ``join``: the first note is near the last given one.
    - ``sound``: no more bars are silent than given.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from math import exp, log, log2
from typing import Final

from inference_service.continuation.analysis import (
    PHRASE_BARS,
    Analysis,
    MelodyStatistics,
    describe_melody,
    name_cadence,
)
from inference_service.continuation.degrees import SILENCE, find_function
from inference_service.continuation.derivation import Derivation, Likelihoods
from inference_service.continuation.harmony import Slots, list_changes
from inference_service.continuation.melody import TICKS, HarmonyAt, MelodyBar, Segment
from inference_service.continuation.styles import SurpriseStatistics

# The weights and the constants of the terms were set by hand, and adjusted where continuations
# looked wrong on the page (model_zoo/experiments/009-continuation.md); they are not fitted.
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
"""Relative change of the target surprise at boldness 1."""

_EXCESS: Final = 8.0
"""Decay of a term with the excess share of faults: an excess of a twelfth halves the term."""


def weigh(terms: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the weighted mean of the terms."""
    total = sum(weights[name] for name in terms)
    return sum(weights[name] * value for name, value in terms.items()) / total


def count_bits(derivation: Derivation, likelihoods: Likelihoods) -> float:
    """Return the surprise of a derivation in bits, under fixed probabilities."""
    return -sum(
        log2(max(likelihoods.after(rule, context)[production], 1e-12))
        for rule, context, production in derivation.choices
    )


def _judge_excess(found: float, given: float) -> float:
    """Return a term that decays as the share of faults exceeds that of the given music."""
    return exp(-_EXCESS * max(found - given, 0.0))


def judge_surprise(bits: float, usual: SurpriseStatistics, boldness: float) -> dict[str, float]:
    """Return the terms ``likelihood`` and ``surprise`` for a surprise in bits per bar or note."""
    off = (bits - usual.mean_bits) / usual.deviation_bits
    target = usual.mean_bits * (1.0 + _BOLD * boldness)
    missed = (bits - target) / usual.deviation_bits
    return {
        "likelihood": 1.0 / (1.0 + exp(min(2.0 * (off - 1.0), 50.0))),
        "surprise": exp(-0.5 * missed**2),
    }


# ------------------------------------------------------------------------------------- harmony


def judge_harmony(slots: Sequence[Slots], analysis: Analysis, first_end: int) -> dict[str, float]:
    """Return the terms of harmony, except ``likelihood`` and ``surprise``.

    ``first_end`` is the index of the new bar that ends the first phrase.
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
    """Return the share of time with chords that are remote from the key."""
    shares = [sum(find_function(d) == "remote" for d in bar) / len(bar) for bar in slots]
    return sum(shares) / len(shares)


def _share_again(slots: Sequence[Slots], first: int) -> float:
    """Return the share of bars, from index ``first``, that repeat the bar 2, 4 or 8 before."""
    again = [
        any(index >= back and slots[index] == slots[index - back] for back in (2, 4, 8))
        for index in range(max(first, 2), len(slots))
    ]
    return sum(again) / len(again) if again else 0.0


# -------------------------------------------------------------------------------------- melody


def judge_melody(
    bars: Sequence[MelodyBar], analysis: Analysis, harmony_at: HarmonyAt, first_end: int
) -> dict[str, float]:
    """Return the terms of melody, except ``likelihood`` and ``surprise``.

    ``harmony_at`` numbers bars from the first given one.
    """
    offset = len(analysis.melody)
    attacks = [(offset + i, segment) for i, bar in enumerate(bars) for segment in bar.attacks]
    pitches = [_pitch(segment) for _, segment in attacks]
    before = [_pitch(segment) for bar in analysis.melody for segment in bar.attacks]
    if not attacks:
        return dict.fromkeys(set(MELODY_WEIGHTS) - {"likelihood", "surprise"}, 0.0)
    statistics = describe_melody(bars)
    density = len(attacks) / len(bars) / max(analysis.notes_per_bar, 0.5)
    rhythm = _overlap(statistics.durations, analysis.statistics.durations)
    rhythm += _overlap(statistics.onsets, analysis.statistics.onsets)
    foreign = _share_foreign(statistics, analysis.statistics) if before else 0.0
    return {
        "consonance": _judge_consonance(attacks, harmony_at),
        "contour": _judge_contour(pitches, analysis),
        "kinship": _judge_kinship(statistics.intervals, analysis.statistics.intervals),
        "rhythm": rhythm / 2.0 * _judge_excess(foreign, 0.0),
        "density": exp(-2.0 * abs(log(density))),
        "voice_leading": _judge_voice_leading(attacks, harmony_at),
        "cadence": _judge_rest(bars, analysis, first_end),
        "join": exp(-max(abs(pitches[0] - before[-1]) - 4, 0) / 4.0) if before else 1.0,
        "sound": _judge_excess(_share_silent(bars), _share_silent(analysis.melody)),
    }


def _share_foreign(found: MelodyStatistics, given: MelodyStatistics) -> float:
    """Return the share of segments that begin at divisions of the beat new to the piece."""
    return sum(
        share
        for (begins, place), share in found.divisions.items()
        if place and (begins, place) not in given.divisions
    )


def _share_silent(bars: Sequence[MelodyBar]) -> float:
    """Return the share of bars in which no note begins."""
    return sum(not bar.attacks for bar in bars) / len(bars) if bars else 0.0


def _pitch(segment: Segment) -> int:
    assert isinstance(segment.pitch, int)
    return segment.pitch


def _overlap(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    """Return the overlap of two distributions; 1 if the second is empty."""
    if not other:
        return 1.0
    return sum(min(share, other.get(key, 0.0)) for key, share in one.items())


def _judge_consonance(attacks: Sequence[tuple[int, Segment]], harmony_at: HarmonyAt) -> float:
    weighed = [
        (min(p.stop - p.start, 2 * TICKS), _pitch(p) in harmony_at(bar, p.start).chord)
        for bar, p in attacks
        if p.start % TICKS == 0
    ]
    total = sum(length for length, _ in weighed)
    # Songs reach about four fifths, which counts as full.
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
    """Return the share of figures that occur in the given music, relative to one half.

    One half is about what songs reach.
    """
    if not given or not found:
        return 1.0 if not given else 0.0
    total = sum(found.values())
    return min(sum(share for figure, share in found.items() if figure in given) / total / 0.5, 1.0)


def _judge_voice_leading(attacks: Sequence[tuple[int, Segment]], harmony_at: HarmonyAt) -> float:
    """Return 1 minus the share of steps in parallel fifths or octaves with the bass."""
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
    finality = {0: 1.0, third: 0.6, 7: 0.5}.get((_pitch(last) - tonic) % 12, 0.0)
    return (sum(min(r / 0.4, 1.0) for r in rest) + 2.0 * finality) / (len(rest) + 2.0)
