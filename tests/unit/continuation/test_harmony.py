"""Conversion between bars of chords and words."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.continuation.degrees import DIMINISHED, MAJOR, MINOR
from inference_service.continuation.derivation import derive
from inference_service.continuation.grammar import start_at
from inference_service.continuation.harmony import (
    find_slots,
    find_uneven_divisions,
    list_changes,
    read_harmony,
    write_harmony,
)
from inference_service.continuation.parser import Parser
from inference_service.continuation.probabilities import Probabilities
from inference_service.continuation.search import plan_harmony
from inference_service.continuation.styles import load_grammar, load_language
from inference_service.music.events import Key
from inference_service.music.score import KeyChange, Score, ScoreChord, ScoreNote, ScorePart


def _score(signature: str, beats: int, *chords: tuple[float, str]) -> Score:
    note = ScoreNote(Fraction(0), Fraction(beats), 60)
    return Score(
        "",
        100.0,
        signature,
        Key("C", "major"),
        (ScorePart("piano", "Piano", (note,), 0),),
        tuple(ScoreChord(Fraction(start), label) for start, label in chords),
    )


def test_bars_are_divided_no_further_than_they_change() -> None:
    score = _score("4/4", 16, (0, "C"), (4, "A:min7"), (6, "F/3"), (8, "G"), (11, "E:7"))
    slots = find_slots(score, score.bars())
    assert slots == [("I",), ("vi", "IV"), ("V", "V", "V", "III"), ("III",)]
    assert list_changes(slots) == ["I", "vi", "IV", "V", "III"]


def test_chords_before_the_middle_of_a_beat_are_meant_for_it() -> None:
    score = _score("3/4", 6, (0, "C"), (3.25, "F"), (4.75, "G"))
    assert find_slots(score, score.bars()) == [("I",), ("IV", "IV", "V")]


def test_what_cannot_be_divided_is_one_chord() -> None:
    score = _score("7/8", 7, (0, "C"), (4, "F"))
    assert find_slots(score, score.bars()) == [("I",)]


def test_degrees_follow_the_key_in_force() -> None:
    score = _score("4/4", 8, (0, "C"), (4, "D"))
    changed = Score(
        **{f: getattr(score, f) for f in score.__slots__ if f != "key_changes"},
        key_changes=(KeyChange(4, Key("D", "major")),),
    )
    assert find_slots(changed, changed.bars()) == [("I",), ("I",)]
    assert find_slots(changed, changed.bars(), Key("C", "major")) == [("I",), ("II",)]


DEGREES = st.sampled_from([*MAJOR, *MINOR, *DIMINISHED, "N"])
BARS = st.lists(st.lists(DEGREES, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)


@given(BARS)
def test_any_bars_can_be_written_read_and_parsed(slots: list[tuple[str, ...]]) -> None:
    words = write_harmony(slots)
    assert read_harmony(words) == slots
    grammar = start_at(load_grammar("harmony"), ["bar"] * len(slots))
    assert Parser(Probabilities(grammar, {})).read(words).choices


@pytest.mark.parametrize(("beats", "allowed"), [(1, {1}), (2, {1, 2}), (3, {1, 3}), (4, {1, 2, 4}),
                                                (5, {1}), (6, {1, 2, 3}), (7, {1})])  # fmt: skip
@pytest.mark.parametrize(("style", "mode"), [("pop", "major"), ("classical", "minor")])
def test_bars_are_divided_by_their_beats(
    beats: int, allowed: set[int], style: str, mode: str
) -> None:
    known = load_language(style).harmony.probabilities
    grammar = start_at(known.grammar, plan_harmony(8, 0, mode))
    likely = known.within(grammar).without(find_uneven_divisions(grammar, beats))
    random = np.random.default_rng(beats)
    parts: set[int] = set()
    for _ in range(40):
        derivation = derive(likely, random.random(400).tolist(), ())
        assert derivation.is_complete
        parts |= {len(bar) for bar in read_harmony(derivation.words)}
    assert parts <= allowed
    assert sum(likely.of("division", ["|"])) == pytest.approx(1.0)


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("into_phrase", range(4))
@pytest.mark.parametrize("measures", range(1, 14))
def test_plans_have_as_many_bars_as_were_asked_for(
    measures: int, into_phrase: int, mode: str
) -> None:
    lengths = {"bar": 1, "phrase": 4, f"last_phrase_{mode}": 4, f"cadence_{mode}": 2,
               f"goal_{mode}": 1}  # fmt: skip
    names = plan_harmony(measures, into_phrase, mode)
    assert sum(lengths[name] for name in names) == measures
    assert names[-1].endswith(mode), "it closes in the tonic"
    start_at(load_grammar("harmony"), names)
