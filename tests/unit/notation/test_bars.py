"""One voice of a staff as note values, bar by bar."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from inference_service.music.metre import COMMON_TIME, TimeSignature
from inference_service.music.score import Bar, ScoreNote
from inference_service.notation.bars import (
    Event,
    cut_at_bars,
    fill_bar,
    leave_out_rests,
    shown_accidentals,
)
from inference_service.notation.spelling import PitchName

BARS = [Bar(k + 1, Fraction(4 * k), Fraction(4), COMMON_TIME) for k in range(2)]


def note(start: float | Fraction, duration: float | Fraction, pitch: int = 60) -> ScoreNote:
    return ScoreNote(Fraction(start), Fraction(duration), pitch)


def name(members: Sequence[ScoreNote], _: Sequence[ScoreNote] = ()) -> tuple[PitchName, ...]:
    return tuple(PitchName("C", n.pitch - 60, 4) for n in members)


def write(notes: Sequence[ScoreNote], bars: Sequence[Bar] = BARS) -> list[list[Event]]:
    spans = cut_at_bars(notes, bars, name)
    return [fill_bar(here, bar) for here, bar in zip(spans, bars, strict=True)]


def values(events: Sequence[Event]) -> list[tuple[str, bool, int | None]]:
    return [(e.value.type, bool(e.notes), e.triplet) for e in events]


def test_a_note_over_the_bar_line_is_tied() -> None:
    first, second = write([note(3, 2)])
    assert [(e.value.type, e.tie_type) for e in first if e.notes] == [("quarter", "start")]
    assert [(e.value.type, e.tie_type) for e in second if e.notes] == [("quarter", "stop")]


def test_the_silent_parts_of_a_rest_are_kept_where_the_other_voice_sounds_in_it() -> None:
    upper, lower = (cut_at_bars(notes, BARS, name)[0] for notes in ([note(1, 1)], [note(2, 1)]))
    events = leave_out_rests(fill_bar(upper, BARS[0], lower), lower)
    rests = [(e.value.start_beats, e.value.type) for e in events if not e.notes]
    assert rests == [(0, "quarter"), (3, "quarter")]


def test_three_in_the_time_of_two_beats_are_one_triplet() -> None:
    third = Fraction(2, 3)
    first, _ = write([note(k * third, third) for k in range(3)] + [note(2, 2)])
    assert values(first) == [("quarter", True, 0)] * 3 + [("half", True, None)]


def test_a_triplet_of_beats_holds_a_long_value_and_a_rest() -> None:
    first, _ = write([note(2, Fraction(4, 3))])
    assert values(first) == [
        ("half", False, None),
        ("half", True, 2),
        ("quarter", False, 2),
    ]


def test_eighth_triplets_stay_within_their_beat() -> None:
    third = Fraction(1, 3)
    first, _ = write([note(k * third, third) for k in range(6)])
    assert [e.triplet for e in first if e.notes] == [0, 0, 0, 1, 1, 1]


def test_no_triplet_of_beats_hides_the_middle_of_the_bar() -> None:
    third = Fraction(2, 3)
    first, _ = write([note(1 + k * third, third) for k in range(3)])
    assert {e.triplet for e in first if e.notes} == {1, 2}


def test_compound_bars_have_no_triplets_of_beats() -> None:
    bars = [Bar(1, Fraction(0), Fraction(6), TimeSignature(6, 8))]
    (only,) = write([note(0, Fraction(4, 3)), note(Fraction(4, 3), Fraction(2, 3))], bars)
    assert sum(e.value.duration_beats for e in only) == 6


def test_grace_notes_lead_the_chord_at_their_place_or_the_next() -> None:
    small = [ScoreNote(Fraction(s), Fraction(0), p, grace=g) for s, p, g in
             ((1, 62, 2), (1, 61, 1), (Fraction(3, 2), 63, 1), (7, 64, 1))]  # fmt: skip
    first, second = write(sorted([*small, note(1, 1), note(2, 2)]))
    assert [(e.grace, [n.pitch for n in e.notes]) for e in first if e.notes] == [
        (1, [61]),
        (2, [62]),
        (0, [60]),
        (1, [63]),
        (0, [60]),
    ]
    assert not any(e.notes for e in second)
    assert all(e.value.duration_beats == 0 for e in first if e.grace)


def test_an_accidental_on_a_grace_note_holds_for_the_bar() -> None:
    small = ScoreNote(Fraction(0), Fraction(0), 61, grace=1)
    first, _ = write([small, note(0, 1), note(1, 1, 61)])
    shown = shown_accidentals([first], 0)
    assert {(place, grace, found.alter) for place, grace, found in shown} == {
        (0, 1, 1),
        (0, 0, 0),
        (1, 0, 1),
    }
