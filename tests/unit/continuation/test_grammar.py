"""Grammars, their probabilities, and the parser."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from math import inf, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_service.continuation.derivation import derive, pick
from inference_service.continuation.grammar import GrammarError, decode_grammar
from inference_service.continuation.parser import Parser
from inference_service.continuation.probabilities import (
    BEGINNING,
    Choice,
    Probabilities,
    count_choices,
    decode_probabilities,
    find_context,
    learn_probabilities,
)

HARMONY = """
# Phrases follow each other.
piece   = phrase { phrase } ;
phrase  = opening [ middle ] cadence ;
opening = "I" | "vi" ( "IV" | "ii" ) ;
middle / 2 = "ii" | "IV" | "ii" middle ;
cadence = "V" "I" | "IV" "I" ;
"""
FINITE = """
a = b c | "x" ;
b / 1 = "x" | "y" "x" ;
c / 1 = "x" [ "z" ] | b ;
"""


def productions(text: str, rule: str) -> list[str]:
    return [
        " ".join(symbol.name for symbol in production)
        for production in decode_grammar(text).rules[rule].productions
    ]


def test_brackets_are_unfolded() -> None:
    assert productions(HARMONY, "phrase") == ["opening cadence", "opening middle cadence"]
    assert productions(HARMONY, "opening") == ["I", "vi IV", "vi ii"]
    assert productions(HARMONY, "piece") == ["phrase", "phrase piece.1"]
    assert productions(HARMONY, "piece.1") == ["phrase", "phrase piece.1"]


def test_rules_have_contexts() -> None:
    grammar = decode_grammar(HARMONY)
    assert {name: rule.context for name, rule in grammar.rules.items() if rule.context} == {
        "middle": 2
    }
    assert grammar.start == "piece"
    assert grammar.words == ("I", "IV", "V", "ii", "vi")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "no rule"),
        ("a = b ;", "no rule for b"),
        ('a = "x" ; b = "y" ;', "leads to b"),
        ('a = "x" ; a = "y" ;', "twice"),
        ('a = [ "x" ] ;', "nothing"),
        ('a = ( [ "x" ] ) ;', "nothing"),
        ('a = "x" | ;', "empty"),
        ('a = a "x" | "x" ;', "begins with itself"),
        ('a = b "x" | "x" ; b = [ "y" ] a ;', "begins with itself"),
        ('a = "x" a ;', "end"),
        ('a = "x"', "ends"),
        ('a "x" ;', "'='"),
        ('a = ( "x" ;', r"'\)'"),
        ('a = "x" ) ;', "';'"),
        ('a = { [ "x" ] } "y" ;', "repeats"),
        ('a = "x" ;\nb ? "y" ;', "line 2"),
        ("a / x = b ;", "number"),
    ],
)
def test_invalid_grammars_are_refused(text: str, cause: str) -> None:
    with pytest.raises(GrammarError, match=cause):
        decode_grammar(text)


@given(st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=1, max_size=40))
@settings(max_examples=150)
def test_every_sentence_can_be_parsed_back(genotype: list[float]) -> None:
    probabilities = Probabilities(decode_grammar(HARMONY), {})
    derivation = derive(probabilities, genotype)
    if not derivation.is_complete:
        return
    reading = Parser(probabilities).read(derivation.words)
    assert reading.choices
    likely = sum(_bits(probabilities, choice) for choice in reading.choices)
    assert likely <= sum(_bits(probabilities, choice) for choice in derivation.choices) + 1e-9
    assert _replay(probabilities, reading.choices) == derivation.words


def _bits(probabilities: Probabilities, choice: Choice) -> float:
    return -log2(probabilities.after(choice.rule, choice.context)[choice.production])


def _replay(probabilities: Probabilities, choices: tuple[Choice, ...]) -> tuple[str, ...]:
    codons = []
    for choice in choices:
        likely = probabilities.after(choice.rule, choice.context)
        codons.append(sum(likely[: choice.production]) + likely[choice.production] / 2)
    return derive(probabilities, codons).words


def test_the_probabilities_of_all_sentences_sum_to_one() -> None:
    grammar = decode_grammar(FINITE)
    uneven = learn_probabilities(
        grammar, [Choice("a", (), 0), Choice("b", ("^",), 1), Choice("c", ("x",), 2)]
    )
    parser = Parser(uneven)
    total = 0.0
    for length in range(1, 6):
        for words in itertools.product(grammar.words, repeat=length):
            reading = parser.read(words)
            if reading.choices:
                total += 2 ** -sum(reading.surprise_bits)
    assert total == pytest.approx(1.0)


def test_surprise_sums_over_all_parses() -> None:
    grammar = decode_grammar('s = a | b ; a = "x" "y" ; b = "x" "y" | "x" "z" ;')
    reading = Parser(Probabilities(grammar, {})).read(["x", "y"])
    assert reading.surprise_bits == pytest.approx((0.0, -log2(0.75), 0.0))
    assert reading.choices[0].production == 0, "the likelier of two parses"


def test_words_that_are_not_a_sentence() -> None:
    parser = Parser(Probabilities(decode_grammar(HARMONY), {}))
    assert not parser.read(["I", "V"]).choices, "it is not at its end"
    reading = parser.read(["I", "I", "V"])
    assert reading.surprise_bits[0] < inf
    assert reading.surprise_bits[1:] == (inf, inf, inf)
    assert not parser.read([]).choices


def test_long_sentences_neither_vanish_nor_overflow() -> None:
    parser = Parser(Probabilities(decode_grammar(HARMONY), {}))
    reading = parser.read(["I", "V", "I"] * 400)
    assert reading.choices
    assert len(reading.choices) == 4 * 400
    each_bits = 1 + 1 + log2(3) + 1  # last phrase or not, no middle, the opening, the cadence
    assert sum(reading.surprise_bits) == pytest.approx(400 * each_bits)


def test_a_choice_is_conditioned_on_the_words_before_it() -> None:
    grammar = decode_grammar('s = w { w } ; w / 1 = "x" | "y" ;')
    words = ["x", "y"] * 30
    learnt = learn_probabilities(grammar, Parser(Probabilities(grammar, {})).read(words).choices)
    after_x, after_y = learnt.of("w", ["x"]), learnt.of("w", ["y"])
    assert after_x[1] > 0.95
    assert after_y[0] > 0.95
    assert sum(Parser(learnt).read(words).surprise_bits) < 20


def test_unseen_contexts_fall_back_on_shorter_ones() -> None:
    grammar = decode_grammar('s = w { w } ; w / 2 = "x" | "y" | "z" ;')
    learnt = learn_probabilities(grammar, [Choice("w", ("x", "y"), 0)] * 9)
    # In shorter contexts "x" occurs after one longer context; each count is discounted by a half.
    unseen = (1 - 0.5) + 0.5 / 3
    after_y = (1 - 0.5) + 0.5 * unseen
    assert learnt.of("w", ["z", "z"])[0] == pytest.approx(unseen)
    assert learnt.of("w", ["z", "y"])[0] == pytest.approx(after_y)
    assert learnt.of("w", ["x", "y"])[0] == pytest.approx((9 - 0.5 + 0.5 * after_y) / 9)
    assert sum(learnt.of("w", [])) == pytest.approx(1.0)
    assert find_context(grammar, "w", ["x"]) == (BEGINNING, "x")


def test_what_follows_many_contexts_is_more_probable_after_a_new_one() -> None:
    # "y" is more frequent, but always after the same two words.
    grammar = decode_grammar('s = w { w } ; w / 2 = "x" | "y" | "z" ;')
    few = [Choice("w", (first, second), 0) for first in "xyz" for second in "xyz"]
    learnt = learn_probabilities(grammar, [*few, *[Choice("w", ("x", "y"), 1)] * 50])
    assert learnt.of("w", ["x", "y"])[1] > 0.8
    assert learnt.of("w", ["q", "q"])[0] > 2 * learnt.of("w", ["q", "q"])[1]


def test_added_counts_are_not_discounted() -> None:
    grammar = decode_grammar('s = w { w } ; w / 1 = "x" | "y" ;')
    usual = learn_probabilities(grammar, [Choice("w", ("x",), 0)] * 4).discounted((0.5, 3.0))
    own = count_choices(grammar, [Choice("w", ("x",), 1)])
    before, after = usual.of("w", ["x"])[1], usual.plus(own, 3.0).of("w", ["x"])[1]
    assert before < 0.25
    assert after > 0.45, "three of the seven, and what is shared out"
    assert sum(usual.plus(own, 3.0).of("w", ["y"])) == pytest.approx(1.0)


def test_probabilities_are_kept() -> None:
    grammar = decode_grammar(HARMONY)
    read = Parser(Probabilities(grammar, {})).read(["I", "ii", "V", "I", "vi", "IV", "V", "I"])
    learnt = learn_probabilities(grammar, read.choices)
    learnt = learnt.discounted((0.3, 0.6, 0.9))
    rows = json.loads(json.dumps(learnt.encode()))
    again = decode_probabilities(grammar, rows, learnt.discounts)
    for rule in grammar.rules:
        assert again.of(rule, ["I", "ii"]) == learnt.of(rule, ["I", "ii"])
    with pytest.raises(ValueError, match="another grammar"):
        decode_probabilities(decode_grammar(FINITE), learnt.encode(), learnt.discounts)


def test_numbers_choose_by_their_place_in_the_cumulative_probability() -> None:
    assert [pick((0.2, 0.0, 0.8), codon) for codon in (0.0, 0.19, 0.2, 0.99)] == [0, 0, 2, 2]
    assert pick((0.5, 0.5 - 1e-12, 0.0), 1 - 1e-14) == 1, "what is impossible stays so"
    grammar = decode_grammar('s = "a" | "b" ;')
    found = Counter(derive(Probabilities(grammar, {}), [k / 100]).words[0] for k in range(100))
    assert found == {"a": 50, "b": 50}


def test_a_genotype_that_runs_out_is_incomplete() -> None:
    grammar = decode_grammar('s = "a" | "a" s ;')
    derivation = derive(Probabilities(grammar, {}), [0.9])
    assert not derivation.is_complete
    assert derivation.words == ("a",) * 4, "once, and three times again"


def test_a_sentence_follows_what_was_before() -> None:
    grammar = decode_grammar('s / 1 = "a" | "b" ;')
    learnt = learn_probabilities(
        grammar, [*[Choice("s", ("a",), 1)] * 50, *[Choice("s", ("b",), 0)] * 50]
    )
    assert derive(learnt, [0.5], before=["a"]).words == ("b",)
    assert derive(learnt, [0.5], before=["b"]).words == ("a",)
