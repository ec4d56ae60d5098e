"""Each term of the fitness distinguishes better from worse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference_service.continuation.analysis import analyse, describe_melody, find_harmony
from inference_service.continuation.fitness import (
    HARMONY_WEIGHTS,
    MELODY_WEIGHTS,
    judge_harmony,
    judge_melody,
    judge_surprise,
    weigh,
)
from inference_service.continuation.harmony import Slots
from inference_service.continuation.melody import TICKS, MelodyBar, Tone, cut_bars
from inference_service.continuation.scale import Harmony
from inference_service.continuation.styles import SurpriseStatistics
from tests.unit.continuation.songs import build_song, sing

SONG = build_song()
GIVEN = analyse(SONG, sing(SONG))
LOOP: list[Slots] = [("I",), ("vi",), ("IV",), ("V",)]
CLOSE: list[Slots] = [("I",), ("IV",), ("V",), ("I",)]


@pytest.mark.parametrize(
    ("term", "better", "worse"),
    [
        ("repetition", LOOP, [("ii",), ("iii",), ("bVII",), ("II",)]),
        ("rhythm", LOOP, [("I", "V", "vi", "IV")] * 4),
        ("vocabulary", LOOP, [("vi",), ("I",), ("ii",), ("vi",)]),
        ("cadence", CLOSE, [("I",), ("IV",), ("V",), ("bIII",)]),
        ("cadence", CLOSE, LOOP),
        ("sound", CLOSE, [("I",), ("N",), ("N",), ("I",)]),
        ("tonality", [("I",), ("iv",), ("II",), ("V",)], [("I",), ("bii",), ("V",), ("I",)]),
    ],
)
def test_terms_of_harmony(term: str, better: list[Slots], worse: list[Slots]) -> None:
    good, bad = (judge_harmony(slots, GIVEN, 3)[term] for slots in (better, worse))
    assert 0.0 <= bad < good <= 1.0


def _at(bar: int, place: int) -> Harmony:
    if bar < len(GIVEN.bars):
        return GIVEN.harmony_at(bar, place)
    return find_harmony(CLOSE[bar - len(GIVEN.bars)], 4, place, 0)


def _melody(*notes: tuple[float, float, int]) -> list[MelodyBar]:
    tones = [Tone(int(s * TICKS), int(d * TICKS), pitch) for s, d, pitch in notes]
    return cut_bars(tones, [4] * 4)


def _line(*pitches: int) -> list[MelodyBar]:
    """Return quarter notes, the last one held."""
    last = len(pitches) - 1
    return _melody(*[(i, 16 - i if i == last else 1, pitch) for i, pitch in enumerate(pitches)])


SONGLIKE = _melody(
    (0, 1, 72), (1, 0.5, 71), (1.5, 0.5, 69), (2, 2, 67),
    (4, 1, 69), (5, 0.5, 67), (5.5, 0.5, 69), (6, 2, 72),
    (8, 1, 71), (9, 0.5, 69), (9.5, 0.5, 71), (10, 2, 67),
    (12, 4, 72),
)  # fmt: skip
TRIPLETS = _melody(
    (0, 1, 72), (1, 1 / 3, 71), (4 / 3, 2 / 3, 69), (2, 2, 67),
    (4, 1, 69), (5, 0.5, 67), (5.5, 0.5, 69), (6, 2, 72),
    (8, 1, 71), (9, 0.5, 69), (9.5, 0.5, 71), (10, 2, 67),
    (12, 4, 72),
)  # fmt: skip
EVEN = _line(*[72, 71, 69, 67] * 4)


@pytest.mark.parametrize(
    ("term", "better", "worse"),
    [
        ("consonance", SONGLIKE, _line(*[61, 63, 66, 68] * 4)),
        ("contour", SONGLIKE, _line(*[60, 84, 61, 83] * 4)),
        ("contour", SONGLIKE, _line(*[72] * 16)),
        ("kinship", SONGLIKE, _line(*[60, 65, 61, 64] * 4)),
        ("rhythm", SONGLIKE, EVEN),
        ("rhythm", EVEN, TRIPLETS),
        ("density", SONGLIKE, _line(72, 71)),
        ("sound", SONGLIKE, _line(*[72, 71, 69, 67] * 2)),
        ("voice_leading", SONGLIKE, _melody((0, 4, 67), (4, 4, 72), (8, 4, 74), (12, 4, 79))),
        ("cadence", SONGLIKE, _line(*[72, 71, 69, 65] * 4)),
        ("join", SONGLIKE, _line(*[50, 52, 53, 55] * 4)),
    ],
)
def test_terms_of_melody(term: str, better: list[MelodyBar], worse: list[MelodyBar]) -> None:
    good, bad = (judge_melody(bars, GIVEN, _at, 3)[term] for bars in (better, worse))
    assert 0.0 <= bad < good <= 1.0


def test_what_the_piece_itself_has_is_not_penalised() -> None:
    own = replace(GIVEN, melody=tuple(TRIPLETS), statistics=describe_melody(TRIPLETS))
    assert judge_melody(TRIPLETS, own, _at, 3)["rhythm"] == pytest.approx(1.0)
    remote = replace(GIVEN, slots=((("bii",),) * len(GIVEN.slots)))
    assert judge_harmony([("bii",), ("I",), ("V",), ("I",)], remote, 3)["tonality"] == 1.0


def test_any_piece_may_rest_on_a_beat_and_sing_where_nothing_was_sung() -> None:
    rested = _melody(*[(i, 1, 72) for i in range(15)])
    legato = replace(GIVEN, melody=tuple(EVEN), statistics=describe_melody(EVEN))
    assert judge_melody(rested, legato, _at, 3)["rhythm"] > 0.9
    silent = _melody()
    unsung = replace(GIVEN, melody=tuple(silent), statistics=describe_melody(silent))
    assert judge_melody(TRIPLETS, unsung, _at, 3)["rhythm"] == 1.0


def test_silence_scores_zero() -> None:
    assert set(judge_melody(_melody(), GIVEN, _at, 3).values()) == {0.0}


def test_surprise_is_best_near_the_usual_one() -> None:
    usual = SurpriseStatistics(5.0, 1.0)
    by_bits = [judge_surprise(bits, usual, 0.0) for bits in (1.0, 5.0, 9.0)]
    assert by_bits[1]["surprise"] > max(by_bits[0]["surprise"], by_bits[2]["surprise"])
    assert by_bits[0]["likelihood"] > by_bits[1]["likelihood"] > by_bits[2]["likelihood"]
    assert judge_surprise(6.5, usual, 1.0)["surprise"] > judge_surprise(6.5, usual, 0.0)["surprise"]


def test_every_term_has_a_weight() -> None:
    surprise = set(judge_surprise(1.0, SurpriseStatistics(1.0, 1.0), 0.0))
    assert set(judge_harmony(CLOSE, GIVEN, 3)) | surprise == set(HARMONY_WEIGHTS)
    assert set(judge_melody(EVEN, GIVEN, _at, 3)) | surprise == set(MELODY_WEIGHTS)
    assert weigh(dict.fromkeys(MELODY_WEIGHTS, 0.5), MELODY_WEIGHTS) == pytest.approx(0.5)
