"""The melody: a named part, or found in the texture."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from inference_service.music.score import ScoreNote, ScorePart
from inference_service.notation.melody import (
    find_melody,
    follow_melody,
    named_melody,
    top_line,
    with_graces,
)


def note(
    start: float, duration: float, pitch: int, velocity: int = 80, grace: int = 0
) -> ScoreNote:
    return ScoreNote(Fraction(start), Fraction(duration), pitch, velocity, grace=grace)


def part(identity: str, *notes: ScoreNote, program: int | None = 0) -> ScorePart:
    return ScorePart(identity, identity.title(), tuple(sorted(notes)), program)


TUNE = [note(k, 1, p) for k, p in enumerate((67, 69, 71, 72, 74, 72, 71, 69))]


@pytest.mark.parametrize("identity", ["vocals", "MELODY", "lead-guitar", "Voice 1"])
def test_a_part_is_the_melody_by_its_name(identity: str) -> None:
    parts = [part("piano", note(0, 8, 84)), part(identity, *TUNE)]
    found = named_melody(parts)
    assert found is not None
    assert found.id == identity
    assert find_melody(parts) == TUNE


def test_a_choirs_program_sings_and_silence_does_not() -> None:
    choir = part("track-3", *TUNE, program=52)
    assert named_melody([part("vocals"), part("piano", note(0, 1, 60)), choir]) is choir
    assert named_melody([part("piano", note(0, 1, 60)), part("misleading-part", *TUNE)]) is None


def test_a_tune_in_the_middle_is_followed_under_a_quiet_high_figure() -> None:
    tune = [note(k, 1, p, 100) for k, p in enumerate((67, 69, 71, 72, 74, 72, 71, 69))]
    bass = [note(2 * k, 2, 43) for k in range(4)]
    bells = [note(k + 0.5, 0.25, 96, 40) for k in range(8)]
    found = follow_melody(tune + bass + bells)
    assert [n.pitch for n in found] == [n.pitch for n in tune]


def test_basses_are_no_melody_but_where_alone() -> None:
    bass = part("bass", *(note(k, 1, 40) for k in range(4)), program=33)
    guitar = part("guitar", *(note(k, 1, 52) for k in range(4)), program=25)
    assert {n.pitch for n in find_melody([bass, guitar])} == {52}
    assert {n.pitch for n in find_melody([bass])} == {40}
    assert find_melody([]) == []


def test_notes_of_the_melody_do_not_overlap() -> None:
    long = [note(k, 3, 67 + k) for k in range(8)]
    found = follow_melody(long)
    assert all(a.stop_beats <= b.start_beats for a, b in pairwise(found))


def test_grace_notes_go_with_the_notes_that_they_lead_to() -> None:
    high, low = note(0, 0, 71, grace=1), note(0, 0, 47, grace=1)
    notes = [high, low, note(0, 1, 72), note(0, 1, 48)]
    assert with_graces([note(0, 1, 72)], notes) == [high, note(0, 1, 72)]
    assert top_line(notes) == [high, note(0, 1, 72)]
