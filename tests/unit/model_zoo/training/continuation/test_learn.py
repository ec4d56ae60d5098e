"""Learning a style from a corpus, and evaluating continuations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference_service.continuation.options import Style
from inference_service.continuation.styles import decode_language, encode_language
from model_zoo.training.continuation.chord_rules import ChordRules
from model_zoo.training.continuation.evaluate import distance, find_cut, list_cases, summarise
from model_zoo.training.continuation.learn import (
    Lesson,
    learn_harmony,
    learn_language,
    learn_melody,
)
from model_zoo.training.continuation.ngrams import VOCABULARY
from model_zoo.training.continuation.plot import draw_curves
from model_zoo.training.continuation.searches import WAYS, compare, describe_curves, list_problems
from model_zoo.training.continuation.song import Song
from tests.unit.continuation.songs import build_song, sing


def _song(bars: int = 40) -> Song:
    score = build_song(bars)
    return Song("song", "pop909", score, sing(score))


def test_what_is_usual_becomes_likely() -> None:
    known = learn_harmony([Lesson(_song())])
    rules = ChordRules(known)
    assert rules.probability("IV", ["I", "vi"]) > 0.8
    assert rules.probability("IV", ["I", "vi"]) > rules.probability("IV", ["I", "V"])
    likely = known.of("division", ["I"])
    assert likely[0] > 0.9, "one chord a bar"


@pytest.mark.parametrize("before", [[], ["I"], ["I", "V"], ["N", "bvi", "#ivo"]])
def test_the_rules_share_out_all_degrees(before: list[str]) -> None:
    rules = ChordRules(learn_harmony([Lesson(_song())]))
    others = [word for word in VOCABULARY if not before or word != before[-1]]
    assert sum(rules.probability(word, before) for word in others) == pytest.approx(1.0)


def test_melodies_are_counted_too() -> None:
    known = learn_melody([Lesson(_song())])
    copies = known.of("bar_4", [])
    assert copies[-1] > 0.5, "its bars come again"


def test_a_language_is_kept() -> None:
    language = learn_language(Style.POP, [_song()], [_song()])
    assert language.harmony.surprise.mean_bits < 3.0, "a loop surprises little"
    again = decode_language(Style.POP, encode_language(language))
    assert again.harmony.surprise == language.harmony.surprise
    for name in ("harmony", "melody"):
        kept, read = (getattr(one, name).probabilities for one in (language, again))
        for rule, symbols in kept.grammar.rules.items():
            context = ("I",) * symbols.context
            assert kept.after(rule, context) == pytest.approx(read.after(rule, context), rel=1e-3)


def test_a_song_is_cut_after_a_phrase() -> None:
    assert find_cut(_song()) == 20
    assert find_cut(_song(20)) is None, "too short for sixteen bars and eight more"


def test_a_continuation_is_held_against_the_song() -> None:
    figures = summarise(list(list_cases([_song()])))
    assert figures.closed == 1.0
    assert figures.classes < 0.4
    assert 0.0 <= figures.onsets <= 1.0


def test_distance_of_distributions() -> None:
    assert distance({1: 1.0}, {1: 1.0}) == 0.0
    assert distance({1: 1.0}, {2: 1.0}) == 1.0
    assert distance({1: 0.5, 2: 0.5}, {1: 1.0}) == 0.5


def test_searches_are_compared_and_drawn() -> None:
    problems = list_problems(_song())
    assert set(problems) == {"harmony", "melody"}
    curves = compare(problems.values(), seeds=2, population=6, generations=3)
    assert set(curves) == set(WAYS)
    for found in curves.values():
        assert found.shape == (2, 2, 3)
        assert (found[:, :, 1:] >= found[:, :, :-1]).all(), "the best so far is never lost"
    lines = list(describe_curves(curves, "pge", ["random"]))
    assert lines[-1].startswith("pge over random")
    ahead = {"a": np.ones((6, 3, 2)), "b": np.zeros((6, 3, 2))}
    (line,) = [*describe_curves(ahead, "a", ["b"])][2:]
    assert line == "a over b: +1.0000, better on 6 of 6 songs, p = 0.016"
    assert draw_curves({"both": curves}).count("<polyline") == len(WAYS)
    assert not list_problems(replace(_song(), melody=()))
