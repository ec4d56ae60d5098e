"""Moves of bar lines that are worth while to ask about, in terms of the page."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from inference_service.music.adjustments import Adjustments, BarShift, BarUnit, LocalShift
from inference_service.music.bar_moves import BarMove
from inference_service.music.corrections import Corrections
from inference_service.music.events import Beat, Slip, Transcription
from inference_service.pipeline.options import RenderOptions
from inference_service.pipeline.relative import make_absolute
from inference_service.pipeline.render import describe
from tests.factories import perform, place

SLIP = Slip(9.0, 1.0, 0.4)


def play(*slips: Slip, **options: Any) -> Transcription:
    notes = [(beat, 1, 60 + beat % 5) for beat in range(24)]
    return replace(place(perform({"vocals": notes}, **options)), slips=slips)


def offered(heard: Transcription, **corrections: Any) -> list[tuple[int, BarShift]]:
    corrected = replace(heard, corrections=Corrections(**corrections))
    offers = describe(corrected, RenderOptions()).shown.local_offers
    return [(offer.shift.from_bar, offer.shift.shift) for offer in offers]


def test_slips_are_offered_by_the_bars_of_the_page() -> None:
    assert offered(play()) == []
    assert offered(play(SLIP)) == [(3, BarShift(1))]
    assert offered(play(SLIP), time_signature="3/4", first_beat=Fraction(3)) == [(4, BarShift(1))]
    assert offered(play(SLIP), beat_scale=Fraction(1, 2)) == [(2, BarShift(1, BarUnit.EIGHTH))]
    assert offered(play(SLIP), beat_scale=Fraction(2)) == [(5, BarShift(2))]


@pytest.mark.parametrize(
    ("beats", "shift"),
    [
        (-1.0, BarShift(-1)),
        (3.0, BarShift(-1)),
        (2.0, BarShift(2)),
        (-2.0, BarShift(-2)),
        (0.5, BarShift(1, BarUnit.EIGHTH)),
        (-4.5, BarShift(-1, BarUnit.EIGHTH)),
    ],
)
def test_shifts_are_the_shorter_way_round_the_bar(beats: float, shift: BarShift) -> None:
    assert offered(play(Slip(9.0, beats, 0.4))) == [(3, shift)]


@pytest.mark.parametrize("beats", [4.0, 0.25, 1.5])
def test_what_a_reader_cannot_say_is_not_offered(beats: float) -> None:
    assert offered(play(Slip(9.0, beats, 0.4))) == []


def test_a_slip_that_was_corrected_is_no_longer_offered() -> None:
    heard = play(SLIP, Slip(17.0, -1.0, 0.2))
    assert offered(heard) == [(3, BarShift(1)), (5, BarShift(-1))]
    moved = BarMove(Fraction(9), Fraction(1))
    assert offered(heard, bar_moves=(moved,)) == [(5, BarShift(-1))]


def test_odd_bars_are_offered_their_usual_length() -> None:
    heard = play(SLIP)
    positions = [*range(1, 5), *range(1, 6), *range(1, 5), *range(1, 4), *range(1, 5), *range(1, 5)]
    beats = tuple(
        Beat(beat.time_s, position) for beat, position in zip(heard.beats, positions, strict=False)
    )
    odd = replace(heard, beats=beats)
    assert offered(replace(odd, slips=())) == [(3, BarShift(-1)), (5, BarShift(1))]
    assert offered(odd)[0] == (3, BarShift(1)), "what was compared comes first"


def test_an_offer_moves_the_lines_that_it_names() -> None:
    heard = play(SLIP)
    adjustments = Adjustments(local_shifts=(LocalShift(3, BarShift(1)),))
    absolute = make_absolute(heard, RenderOptions(adjustments=adjustments))
    assert absolute.edit.corrections.bar_moves == (BarMove(Fraction(9), Fraction(1)),)
