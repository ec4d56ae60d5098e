"""What is asked for in terms of the page, in absolute terms."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from inference_service.errors import InvalidCorrections
from inference_service.music.adjustments import (
    Adjustments,
    BarShift,
    BarUnit,
    LocalShift,
    NamedKey,
)
from inference_service.music.bar_moves import BarMove
from inference_service.music.corrections import Correctable, Corrections, Edit
from inference_service.music.events import Alternative, Beat, Key, Transcription
from inference_service.pipeline.options import RenderOptions
from inference_service.pipeline.relative import find_transposition, make_absolute
from inference_service.pipeline.render import describe
from tests.factories import perform, place

A_MINOR, C_MAJOR, E_MINOR = Key("A", "minor"), Key("C", "major"), Key("E", "minor")


def play(**options: Any) -> Transcription:
    """Four bars of 4/4 in A minor, of which bar 1 begins at the second beat."""
    notes = [(beat, 1, 69 + beat % 4) for beat in range(17)]
    options = {"time_signature": "4/4", "pickup_beats": 1, **options}
    heard = place(perform({"vocals": notes}, key=A_MINOR, **options))
    metre = heard.time_signature
    return replace(
        heard,
        alternatives=(
            Alternative(metre, 1.0, 2.0, A_MINOR, 0.5),
            Alternative(metre, 1.0, 2.0, C_MAJOR, 0.2),
            Alternative(metre, 1.0, 2.0, E_MINOR, 0.1),
        ),
    )


def jig() -> Transcription:
    """Bars of 6/8, whose beats were heard as dotted quarters."""
    notes = [(k, 1, 67 + k % 6) for k in range(24)]
    eighths = place(perform({"vocals": notes}, bpm=240, time_signature="6/8", key=A_MINOR))
    beats = tuple(Beat(0.75 * k, k % 2 + 1) for k in range(8))
    return replace(eighths, beats=beats, tempo_bpm=80.0)


def ask(heard: Transcription, options: RenderOptions | None = None, **changes: Any) -> Corrections:
    asked = replace(options or RenderOptions(), adjustments=Adjustments(**changes))
    absolute = make_absolute(heard, asked)
    assert not absolute.adjustments
    return absolute.edit.corrections


def correct(heard: Transcription, **fields: Any) -> Transcription:
    return replace(heard, corrections=Corrections(**fields))


def test_nothing_is_done_where_nothing_is_relative() -> None:
    options = RenderOptions(edit=Edit(Corrections(time_signature="3/4")))
    assert make_absolute(play(), options) is options


def test_values_are_scaled_from_those_of_the_page() -> None:
    assert ask(play(), rescale=2.0).beat_scale == 2
    slow = correct(play(), beat_scale=Fraction(1, 2))
    assert ask(slow, rescale=2.0).beat_scale == 1
    assert ask(slow, rescale=1 / 3).beat_scale == Fraction(1, 6)
    with pytest.raises(InvalidCorrections):
        ask(slow, rescale=0.1)


@pytest.mark.parametrize(
    ("count", "unit", "first_beat"),
    [
        (1, BarUnit.BEAT, 3),
        (-1, BarUnit.EIGHTH, Fraction(3, 2)),
        (1, BarUnit.HALF_BEAT, Fraction(5, 2)),
        (1, BarUnit.SIXTEENTH, Fraction(9, 4)),
        (-3, BarUnit.BEAT, 3),  # counted from a later bar, as none begins before the first beat
        (-2, BarUnit.BEAT, 4),
        (100, BarUnit.BEAT, 102),
    ],
)
def test_bar_lines_are_moved_from_those_of_the_page(
    count: int, unit: BarUnit, first_beat: Fraction
) -> None:
    assert ask(play(), bar_shift=BarShift(count, unit)).first_beat == first_beat


def later(from_bar: int, count: int = 1, unit: BarUnit = BarUnit.BEAT) -> dict[str, Any]:
    return {"local_shifts": (LocalShift(from_bar, BarShift(count, unit)),)}


def test_bar_lines_are_moved_from_a_bar_of_the_page_on() -> None:
    assert ask(play(), **later(2)).bar_moves == (BarMove(Fraction(6), Fraction(1)),)
    assert ask(play(), **later(3, -1, BarUnit.EIGHTH)).bar_moves == (
        BarMove(Fraction(10), Fraction(-1, 2)),
    )
    moved = correct(play(), bar_moves=(BarMove(Fraction(6), Fraction(1)),))
    assert ask(moved, **later(2)).bar_moves == (BarMove(Fraction(6), Fraction(2)),)
    assert ask(moved, **later(3)).bar_moves == (BarMove(Fraction(10), Fraction(1)),)
    back = Edit(ask(moved, **later(2, -1))).apply(moved.corrections)
    assert not back.bar_moves


def test_bar_lines_are_moved_in_beats_of_the_page() -> None:
    assert ask(jig(), **later(2)).bar_moves == (BarMove(Fraction(3), Fraction(1)),)
    assert ask(jig(), **later(2, 1, BarUnit.EIGHTH)).bar_moves == (
        BarMove(Fraction(3), Fraction(1, 3)),
    )
    halved = correct(play(), beat_scale=Fraction(1, 2))
    assert ask(halved, **later(2)).bar_moves == (BarMove(Fraction(10), Fraction(2)),)


def test_from_bar_one_all_lines_move() -> None:
    shifted = ask(play(), **later(1))
    assert (shifted.first_beat, shifted.bar_moves) == (3, ())


def test_bars_are_those_of_the_page_with_all_other_changes() -> None:
    options = RenderOptions(edit=Edit(Corrections(time_signature="3/4", first_beat=Fraction(2))))
    assert ask(play(), options, **later(3)).bar_moves == (BarMove(Fraction(8), Fraction(1)),)
    one, two = (later(bar)["local_shifts"][0] for bar in (2, 3))
    assert ask(play(), local_shifts=(one, two)).bar_moves == (
        BarMove(Fraction(6), Fraction(1)),
        BarMove(Fraction(10), Fraction(1)),
    )
    with pytest.raises(InvalidCorrections):
        ask(play(), **later(5))


def test_a_shift_is_counted_in_beats_of_the_page() -> None:
    halves = correct(play(), beat_scale=Fraction(2))
    assert ask(halves, bar_shift=BarShift(1)).first_beat == Fraction(5, 2)
    assert ask(jig(), bar_shift=BarShift(1)).first_beat == 2
    assert ask(jig(), bar_shift=BarShift(1, BarUnit.EIGHTH)).first_beat == Fraction(4, 3)
    eighths = play(time_signature="6/8")  # the beats of the performance are eighths
    assert ask(eighths, bar_shift=BarShift(1)).first_beat == 5


@pytest.mark.parametrize("heard", [play(), jig(), correct(play(), time_signature="3/4")])
def test_bar_lines_that_move_are_where_they_were_asked_to_be(heard: Transcription) -> None:
    before = describe(heard, RenderOptions()).shown
    shift = Adjustments(bar_shift=BarShift(1, BarUnit.EIGHTH))
    rendering = describe(heard, RenderOptions(adjustments=shift))
    wanted = rendering.options.edit.corrections.first_beat
    assert wanted is not None
    assert wanted > before.first_beat
    assert rendering.shown.first_beat == wanted


def test_a_key_is_what_it_is_called_on_the_page_that_is_requested() -> None:
    up = RenderOptions(transpose_semitones=2)
    assert ask(play(), up, key=NamedKey("D", "major")).key == C_MAJOR
    shown = describe(play(), replace(up, adjustments=Adjustments(key=NamedKey("D", "major")))).shown
    assert (shown.key, shown.untransposed_key) == (Key("D", "major"), C_MAJOR)


def test_what_is_left_open_of_a_key_is_as_in_the_likeliest_reading() -> None:
    assert ask(play(), key=NamedKey("C")).key == C_MAJOR
    assert ask(play(), key=NamedKey("E")).key == E_MINOR
    assert ask(play(), key=NamedKey("F")).key == Key("F", "minor"), "as the page"
    assert ask(play(), key=NamedKey(mode="major")).key == C_MAJOR
    assert ask(play(), key=NamedKey(mode="minor")).key == A_MINOR
    unsure = replace(play(), alternatives=())
    assert ask(unsure, key=NamedKey(mode="major")).key == C_MAJOR, "the relative"
    up = RenderOptions(transpose_semitones=2)
    assert ask(play(), up, key=NamedKey("D")).key == C_MAJOR
    assert ask(play(), up, key=NamedKey(mode="major")).key == C_MAJOR


@pytest.mark.parametrize(
    ("named", "present", "semitones"),
    [
        (NamedKey("B"), 0, 2),
        (NamedKey("E"), 0, -5),
        (NamedKey("G", "major"), 0, -5),
        (NamedKey("C", "major"), 0, 0),
        (NamedKey("B"), 12, 14),
        (NamedKey("Eb"), 0, -6),
        (NamedKey("Eb"), 24, 18),
        (NamedKey("B"), -24, -22),
        (NamedKey(mode="major"), 3, 3),
    ],
)
def test_transposition_takes_the_shorter_way(named: NamedKey, present: int, semitones: int) -> None:
    assert find_transposition(A_MINOR, named, present) == semitones


def test_a_key_to_transpose_to_is_that_of_the_corrected_page() -> None:
    edit = Edit(Corrections(key=Key("E", "major")))
    options = RenderOptions(edit=edit, transpose_to=NamedKey("F"))
    rendering = describe(play(), options)
    assert rendering.options.transpose_semitones == 1
    assert rendering.shown.key == Key("F", "major")
    relative = describe(play(), RenderOptions(transpose_to=NamedKey("D", "major")))
    assert relative.shown.key == Key("B", "minor"), "music in minor stays in minor"


def test_adjustments_are_made_on_top_of_other_corrections() -> None:
    edit = Edit(
        Corrections(time_signature="3/4", tempo_bpm=60.0), frozenset({Correctable.FIRST_BEAT})
    )
    asked = RenderOptions(
        edit=edit, adjustments=Adjustments(rescale=0.5, bar_shift=BarShift(1), key=NamedKey("C"))
    )
    absolute = make_absolute(play(), asked).edit
    assert absolute == Edit(
        Corrections("3/4", Fraction(1, 2), first_beat=Fraction(3), key=C_MAJOR),
        frozenset({Correctable.FIRST_BEAT}),
    )
