"""N-gram models of the next degree."""

from __future__ import annotations

from fractions import Fraction

import pytest

from inference_service.music.events import Key
from inference_service.music.score import KeyChange, Score, ScoreChord, ScoreNote, ScorePart
from model_zoo.training.continuation.ngrams import (
    BEGINNING,
    VOCABULARY,
    KneserNey,
    NGrams,
    WittenBell,
    learn_kneser_ney,
    list_degrees,
    measure_perplexity,
)

EVEN = 1 / len(VOCABULARY)
SENTENCES = [["I", "IV", "V", "I"], ["I", "V", "vi", "IV", "V", "I"], ["vi", "IV", "I", "V"]]


def models(order: int) -> list[NGrams]:
    return [WittenBell(SENTENCES, order), KneserNey(SENTENCES, order, [0.5] * order)]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_shares(order: int) -> None:
    for model in models(order):
        for before in ([], ["I"], ["I", "IV"], ["VII"], ["vi", "IV", "V", "bII"]):
            others = [word for word in VOCABULARY if word not in before[-1:]]
            assert sum(model.probability(word, before) for word in others) == pytest.approx(1.0)
            assert min(model.probability(word, before) for word in others) > 0


def test_witten_and_bell_trust_a_history_by_its_kinds() -> None:
    model = WittenBell([["I", "IV", "I", "V", "I", "IV"]], 2)
    # six degrees of three kinds
    single = (2 + 3 * EVEN) / (6 + 3)
    assert model.weigh("IV", ()) == pytest.approx(single)
    # after I: IV twice, V once
    assert model.weigh("IV", ("I",)) == pytest.approx((2 + 2 * single) / (3 + 2))
    assert model.weigh("IV", ("vi",)) == pytest.approx(single)
    own = model.weigh("I", ("I",))
    assert model.probability("IV", ["vi", "I"]) == pytest.approx(
        (2 + 2 * single) / (3 + 2) / (1 - own)
    )


def test_kneser_and_ney_count_contexts() -> None:
    """A degree that only ever follows one other degree is improbable elsewhere."""
    sentences = [["II", "V"]] * 5 + [["IV", "I"], ["V", "I"], ["vi", "I"]]
    model = KneserNey(sentences, 2, [0.5, 0.5])
    # kinds of pairs: four that begin, II V, and three that end in I
    single = (1 - 0.5 + 0.5 * 5 * EVEN) / 8
    assert model.weigh("II", ()) == pytest.approx(single)
    assert model.weigh("V", ("bII",)) == pytest.approx((2 - 0.5 + 0.5 * 5 * EVEN) / 8)
    assert model.weigh("I", ("bII",)) == pytest.approx((3 - 0.5 + 0.5 * 5 * EVEN) / 8)
    assert model.weigh("II", (BEGINNING,)) == pytest.approx((5 - 0.5 + 0.5 * 4 * single) / 8)


def test_what_is_known_is_guessed() -> None:
    loop = ["I", "V", "vi", "IV"] * 20
    assert measure_perplexity(WittenBell([loop], 2), [loop]) < 1.3
    assert measure_perplexity(WittenBell([], 1), [["I", "V", "I", "V"]]) == pytest.approx(
        len(VOCABULARY) ** 0.25 * (len(VOCABULARY) - 1) ** 0.75
    )
    later = [measure_perplexity(WittenBell([loop], order), [loop]) for order in (1, 2)]
    assert later[1] < later[0]


def test_discounts_suit_dev() -> None:
    loop, strange = ["I", "V", "vi", "IV"] * 20, ["bII", "bVI", "iv", "VII"]
    sure = learn_kneser_ney([loop], [loop], 2)
    doubtful = learn_kneser_ney([loop], [strange], 2)
    assert sure.discounts[0] < doubtful.discounts[0]
    assert measure_perplexity(sure, [loop]) < measure_perplexity(doubtful, [loop])


def test_degrees_are_of_the_keys_in_force() -> None:
    notes = (ScoreNote(Fraction(-1), Fraction(17), 60),)
    chords = ((-1, "E:7"), (0, "C"), (4, "C:maj7"), (6, "G:7"), (8, "G"), (12, "D"))
    score = Score(
        "",
        100.0,
        "4/4",
        Key("C", "major"),
        (ScorePart("piano", "Piano", notes),),
        tuple(ScoreChord(Fraction(beat), label) for beat, label in chords),
        pickup_beats=Fraction(1),
        key_changes=(KeyChange(8, Key("E", "minor")),),
    )
    assert list_degrees(score) == ["I", "V", "I", "V"]
