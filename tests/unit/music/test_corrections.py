"""What a reader may put right: values, and steps from one state to the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.errors import InvalidCorrections
from inference_service.music.bar_moves import BarMove
from inference_service.music.corrections import (
    BEAT_SCALES,
    BarRange,
    Clef,
    Correctable,
    Corrections,
    Edit,
    Feel,
    FinestValue,
    PartCorrection,
    Triplets,
    round_bar_move,
    round_first_beat,
    round_scale,
)
from inference_service.music.edits import MAX_EDITS, DeleteNote, JoinNote
from inference_service.music.events import Key

SINGLE = st.one_of(
    st.sampled_from(["3/4", "4/4", "6/8"]).map(lambda metre: Corrections(time_signature=metre)),
    st.sampled_from(BEAT_SCALES).map(lambda scale: Corrections(beat_scale=scale)),
    st.integers(1, 60).map(lambda twelfths: Corrections(first_beat=Fraction(twelfths, 12))),
    st.sampled_from(["C", "F#", "Bb"]).map(lambda tonic: Corrections(key=Key(tonic, "major"))),
    st.sampled_from(list(FinestValue)).map(lambda value: Corrections(finest_value=value)),
    st.sampled_from(list(Triplets)).map(lambda triplets: Corrections(triplets=triplets)),
    st.sampled_from(list(Feel)).map(lambda feel: Corrections(feel=feel)),
    st.builds(
        lambda beat, beats: Corrections(bar_moves=(BarMove(Fraction(beat), Fraction(beats)),)),
        st.integers(1, 3),
        st.integers(-2, 2),
    ),
    st.just(Corrections(bars=BarRange(2, 4))),
    st.builds(
        lambda part: Corrections(parts=(part,)),
        st.builds(
            PartCorrection,
            st.sampled_from(["a", "b"]),
            st.sampled_from([None, True, False]),
            st.sampled_from([None, "Cor anglais"]),
            st.sampled_from([None, 0, 127]),
            st.sampled_from([None, *Clef]),
        ),
    ),
)
"""Corrections of one field."""


def edit(state: Corrections, step: Corrections) -> Corrections:
    return Edit(step).apply(state)


@given(SINGLE, SINGLE)
def test_an_edit_twice_is_the_same_as_once(before: Corrections, step: Corrections) -> None:
    once = edit(before, step)
    assert edit(once, step) == once


@given(st.lists(SINGLE, max_size=6, unique_by=lambda step: step), st.randoms())
def test_the_order_of_different_fields_makes_no_difference(
    steps: list[Corrections], random: Any
) -> None:
    seen: set[str] = set()
    different = []
    for step in steps:  # one for each field
        name = next(name for name in FIELDS if getattr(step, name) not in (None, ()))
        if name not in seen:
            different.append(step)
            seen.add(name)
    shuffled = random.sample(different, len(different))
    assert reduce(edit, different, Corrections()) == reduce(edit, shuffled, Corrections())


FIELDS = [name for name in Corrections.__dataclass_fields__ if name != "tempo_bpm"]


def test_a_later_value_replaces_an_earlier_one_and_leaves_the_others() -> None:
    state = edit(Corrections(time_signature="3/4"), Corrections(key=Key("D", "minor")))
    state = edit(state, Corrections(time_signature="6/8"))
    assert state == Corrections(time_signature="6/8", key=Key("D", "minor"))


def test_parts_are_corrected_field_by_field() -> None:
    state = edit(Corrections(), Corrections(parts=(PartCorrection("b", name="Alto"),)))
    state = edit(state, Corrections(parts=(PartCorrection("a", left_out=True),)))
    state = edit(state, Corrections(parts=(PartCorrection("b", clef=Clef.ALTO),)))
    assert state.parts == (
        PartCorrection("a", left_out=True),
        PartCorrection("b", name="Alto", clef=Clef.ALTO),
    )
    back = edit(state, Corrections(parts=(PartCorrection("a", left_out=False),)))
    assert back.find_part("a").left_out is False


def test_moves_of_bar_lines_are_corrected_one_by_one() -> None:
    ninth, third = BarMove(Fraction(9), Fraction(1)), BarMove(Fraction(3), Fraction(-1, 2))
    state = edit(Corrections(), Corrections(bar_moves=(ninth,)))
    state = edit(state, Corrections(bar_moves=(third,)))
    assert state.bar_moves == (third, ninth)
    further = replace(ninth, beats=Fraction(2))
    assert edit(state, Corrections(bar_moves=(further,))).bar_moves == (third, further)
    none = replace(ninth, beats=Fraction(0))
    assert edit(state, Corrections(bar_moves=(none,))).bar_moves == (third,)
    assert not edit(Corrections(), Corrections(bar_moves=(none,)))


def test_moves_of_bar_lines_are_rounded() -> None:
    assert round_bar_move(9.001, 0.3334) == BarMove(Fraction(9), Fraction(1, 3))
    for from_beat, beats in ((math.nan, 1.0), (9.0, math.nan), (9.0, math.inf), (9.0, 1e300)):
        with pytest.raises(InvalidCorrections):
            round_bar_move(from_beat, beats)


def test_a_tempo_and_a_scale_replace_each_other() -> None:
    state = edit(Corrections(beat_scale=Fraction(2)), Corrections(tempo_bpm=90.0))
    assert state == Corrections(tempo_bpm=90.0)
    assert edit(state, Corrections(beat_scale=Fraction(1, 2))) == Corrections(
        beat_scale=Fraction(1, 2)
    )


def test_a_list_of_edits_replaces_the_one_before() -> None:
    first, second = Corrections(edits=(DeleteNote("a:1"),)), Corrections(edits=(JoinNote("a:2"),))
    assert edit(first, second) == second
    assert edit(second, Corrections(time_signature="3/4")).edits == second.edits


def test_edits_are_limited() -> None:
    edits = (DeleteNote("a:1"),) * MAX_EDITS
    assert Corrections(edits=edits)
    with pytest.raises(InvalidCorrections) as raised:
        Corrections(edits=(*edits, DeleteNote("a:1")))
    assert raised.value.params["correction"] == "edits"


@pytest.mark.parametrize("field", list(Correctable))
def test_every_field_can_be_taken_back(field: Correctable) -> None:
    full = Corrections(
        "3/4",
        Fraction(2),
        None,
        Fraction(3),
        Key("D", "minor"),
        FinestValue.EIGHTH,
        Triplets.NOT_ALLOWED,
        Feel.SWING,
        (PartCorrection("a", left_out=True),),
        BarRange(1, 2),
        (DeleteNote("a:1"),),
        (BarMove(Fraction(9), Fraction(1)),),
    )
    left = Edit(as_heard=frozenset({field})).apply(full)
    name = "time_signature" if field is Correctable.METRE else field.value
    is_list = name in ("parts", "edits", "bar_moves")
    taken_back: dict[str, Any] = {name: () if is_list else None}
    assert left == replace(full, **taken_back)
    assert not Edit(as_heard=frozenset(Correctable)).apply(full)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Corrections(time_signature="0/0"),
        lambda: Corrections(time_signature="9999/1"),
        lambda: Corrections(time_signature="0/4"),
        lambda: Corrections(time_signature="4/5"),
        lambda: Corrections(time_signature="4/4\n"),
        lambda: Corrections(time_signature="٤/4"),
        lambda: Corrections(beat_scale=Fraction(5)),
        lambda: Corrections(beat_scale=Fraction(0)),
        lambda: Corrections(beat_scale=Fraction(1), tempo_bpm=60.0),
        lambda: Corrections(tempo_bpm=math.nan),
        lambda: Corrections(tempo_bpm=1e300),
        lambda: Corrections(tempo_bpm=0.0),
        lambda: Corrections(first_beat=Fraction(0)),
        lambda: Corrections(bar_moves=(BarMove(Fraction(9), Fraction(1)),) * 2),
        lambda: Corrections(
            bar_moves=(BarMove(Fraction(9), Fraction(1)), BarMove(Fraction(3), Fraction(1)))
        ),
        lambda: Corrections(
            bar_moves=tuple(BarMove(Fraction(k + 1), Fraction(1)) for k in range(101))
        ),
        lambda: Corrections(first_beat=Fraction(10**9)),
        lambda: Corrections(key=Key("H", "minor")),
        lambda: Corrections(key=Key("C##", "major")),
        lambda: Corrections(key=Key("C", "dorian")),  # type: ignore[arg-type]
        lambda: Corrections(parts=(PartCorrection("a"), PartCorrection("a"))),
        lambda: Corrections(parts=tuple(PartCorrection(f"{k:03}") for k in range(65))),
        lambda: PartCorrection("a", name=""),
        lambda: PartCorrection("a", name="x" * 10_000_000),
        lambda: PartCorrection("a", name="a\x00b"),
        lambda: PartCorrection("x" * 10_000),
        lambda: PartCorrection("a", program=128),
        lambda: BarRange(0, 1),
        lambda: BarRange(3, 2),
        lambda: BarRange(1, 2**31),
        lambda: round_scale(math.nan),
        lambda: round_scale(math.inf),
        lambda: round_scale(-2.0),
        lambda: round_scale(1.1),
        lambda: round_first_beat(1e300),
        lambda: round_first_beat(math.nan),
        lambda: round_first_beat(-1.0),
    ],
)
def test_values_out_of_range_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(InvalidCorrections) as raised:
        build()
    assert raised.value.params["correction"]
    assert len(raised.value.cause) < 200


def test_scales_and_first_beats_are_rounded() -> None:
    assert round_scale(0.6666667) == Fraction(2, 3)
    assert round_scale(1.5) == Fraction(3, 2)
    assert round_first_beat(2.333) == Fraction(7, 3)
    assert round_first_beat(4.25) == Fraction(17, 4)
