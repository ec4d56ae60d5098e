"""Other readings of a page that a reader may choose."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from inference_service.music.adjustments import BarShift, BarUnit
from inference_service.music.corrections import Corrections, Edit
from inference_service.music.events import Alternative, Key, Transcription
from inference_service.pipeline.offers import Offer
from inference_service.pipeline.options import RenderOptions
from inference_service.pipeline.render import describe
from tests.unit.pipeline.test_relative import A_MINOR, C_MAJOR, jig, play


def doubt(heard: Transcription, *others: Alternative, probability: float = 0.5) -> Transcription:
    """A performance whose page is this probable, with other readings."""
    page = describe(heard, RenderOptions()).shown
    own = Alternative(page.time_signature, 1.0, float(page.first_beat), A_MINOR, probability)
    return replace(heard, alternatives=(own, *others))


WALTZ = Alternative("3/4", 1.0, 3.0, A_MINOR, 0.2)
IN_C = Alternative("4/4", 1.0, 2.0, C_MAJOR, 0.15)
FAST = Alternative("4/4", 2.0, 2.5, A_MINOR, 0.05)
LATER = Alternative("4/4", 1.0, 3.0, A_MINOR, 0.05)
MARCH = Corrections("4/4", Fraction(2), first_beat=Fraction(5, 2))


def offers(heard: Transcription, **options: Any) -> tuple[Offer, ...]:
    return describe(heard, RenderOptions(**options)).shown.offers


def edits(heard: Transcription) -> list[Corrections]:
    return [offer.corrections for offer in offers(heard)]


def test_readings_are_changes_of_the_page() -> None:
    waltz, in_c, fast, later = offers(doubt(play(), WALTZ, IN_C, FAST, LATER))
    assert (waltz.time_signature, waltz.rescale, waltz.bar_shift) == ("3/4", 1, None)
    assert waltz.corrections == Corrections("3/4"), "the rest is as in its likeliest reading"
    assert (in_c.time_signature, in_c.key) == (None, C_MAJOR)
    assert (fast.time_signature, fast.rescale, fast.tempo_bpm) == (None, 2, pytest.approx(240))
    assert fast.corrections == MARCH
    assert (later.rescale, later.bar_shift) == (1, BarShift(1))
    assert {waltz.key, fast.key, later.key} == {None}


def test_a_key_is_transposed_as_the_page() -> None:
    (offer,) = offers(doubt(play(), IN_C), transpose_semitones=2)
    assert offer.key == Key("D", "major")
    assert offer.corrections.key == C_MAJOR


def test_readings_of_what_is_in_doubt_come_first() -> None:
    metre = doubt(play(), IN_C, WALTZ, FAST, replace(WALTZ, probability=0.3))
    assert [edit.key for edit in edits(metre)][-1] == C_MAJOR
    key = doubt(play(), WALTZ, replace(IN_C, probability=0.4), FAST)
    assert edits(key)[0] == Corrections(key=C_MAJOR)
    both = doubt(play(), WALTZ, replace(IN_C, probability=0.1), probability=0.1)
    assert [edit.key for edit in edits(both)] == [None, C_MAJOR], "by probability"


def test_readings_leave_what_the_reader_has_corrected() -> None:
    heard = doubt(play(), WALTZ, IN_C, FAST)

    def left(**fields: Any) -> list[Corrections]:
        return edits(replace(heard, corrections=Corrections(**fields)))

    in_c = Corrections(key=C_MAJOR)
    assert left(time_signature="3/4") == [in_c]
    assert left(key=C_MAJOR) == [Corrections("3/4"), MARCH]
    assert left(beat_scale=Fraction(1, 2)) == [in_c]
    assert left(tempo_bpm=60.0) == [in_c]
    assert left(first_beat=Fraction(1)) == [
        Corrections("3/4", Fraction(1), first_beat=Fraction(3)),
        in_c,
    ]


def test_the_way_round_the_bar_is_the_shorter_one() -> None:
    def shift(first_beat: float) -> BarShift | None:
        found = offers(doubt(play(), replace(LATER, first_beat=first_beat)))
        return found[0].bar_shift if found else None

    assert shift(3.0) == BarShift(1)
    assert shift(5.0) == BarShift(-1)
    assert shift(10.0) is None
    assert shift(3.5) == BarShift(3, BarUnit.HALF_BEAT)


def test_thirds_of_dotted_beats_are_eighths() -> None:
    later = Alternative("6/8", 1.0, 4 / 3, A_MINOR, 0.2)
    (offer,) = offers(doubt(jig(), later))
    assert offer.bar_shift == BarShift(1, BarUnit.EIGHTH)


@pytest.mark.parametrize(
    "other",
    [
        WALTZ,
        IN_C,
        FAST,
        LATER,
        Alternative("6/8", 1.0, 2.0, A_MINOR, 0.2),
        Alternative("2/2", 1.0, 3.0, A_MINOR, 0.2),
        Alternative("12/8", 3.0, 2.0, A_MINOR, 0.2),
        Alternative("4/4", 0.5, 4.0, C_MAJOR, 0.2),
    ],
)
@pytest.mark.parametrize(
    "corrections", [Corrections(), Corrections(key=C_MAJOR), Corrections(first_beat=Fraction(3))]
)
def test_a_reading_that_is_chosen_is_the_one_that_was_offered(
    other: Alternative, corrections: Corrections
) -> None:
    heard = replace(doubt(play(), other), corrections=corrections)
    before = describe(heard, RenderOptions()).shown
    for offer in before.offers:
        chosen = describe(heard, RenderOptions(edit=Edit(offer.corrections))).shown
        assert chosen.time_signature == (offer.time_signature or before.time_signature)
        assert chosen.beat_scale == before.beat_scale * offer.rescale
        assert chosen.tempo_bpm == pytest.approx(offer.tempo_bpm)
        assert chosen.key == (offer.key or before.key)
        assert offer not in chosen.offers
