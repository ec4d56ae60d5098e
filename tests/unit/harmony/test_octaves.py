"""Notes that a pitch tracker heard an octave off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference_service.harmony.octaves import mend_octaves
from inference_service.music.events import NoteEvent

PITCHES = (60, 62, 64, 65, 67, 65, 64, 62, 60)


def sing(*pitches: int) -> list[NoteEvent]:
    """Notes of half a second without rests."""
    return [NoteEvent(0.5 * k, 0.5 * k + 0.5, pitch) for k, pitch in enumerate(pitches)]


@pytest.mark.parametrize("shift", [-12, 12])
@pytest.mark.parametrize("wrong", [{4}, {3}, {2, 6}])
def test_single_notes_return_to_the_melody(shift: int, wrong: set[int]) -> None:
    tune = sing(*PITCHES)
    heard = [
        replace(note, pitch=note.pitch + shift * (k in wrong), pitch_cents=20.0)
        for k, note in enumerate(tune)
    ]
    assert mend_octaves(heard) == tune
    assert all(note.pitch_cents == 20.0 for note in mend_octaves(heard))


def test_a_leap_after_which_the_melody_stays_is_kept() -> None:
    over_the_rainbow = sing(60, 72, 71, 67, 69, 71, 72)
    assert mend_octaves(over_the_rainbow) == over_the_rainbow


def test_a_phrase_may_begin_elsewhere_after_a_rest() -> None:
    low, high = sing(60, 62, 64, 65), sing(74, 76, 77, 76)
    later = [replace(n, onset_s=n.onset_s + 5, offset_s=n.offset_s + 5) for n in high]
    assert mend_octaves([*low, *later]) == [*low, *later]


def test_a_wide_leap_that_is_no_octave_is_kept() -> None:
    yodel = sing(60, 67, 60, 67, 60)
    assert mend_octaves(yodel) == yodel


def test_too_few_notes_are_unchanged() -> None:
    assert mend_octaves([]) == []
    assert mend_octaves(sing(60, 72)) == sing(60, 72)
