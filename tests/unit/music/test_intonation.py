"""Heard pitches, and the semitones of a tuning that follows the singer."""

from __future__ import annotations

import numpy as np

from inference_service.music.events import NoteEvent
from inference_service.music.intonation import heard_pitches, round_to_tuning, write_pitches

NOTES = [NoteEvent(0.0, 1.0, 60, 80, 40.0), NoteEvent(1.0, 2.0, 62, 80, -60.0)]


def test_heard_pitches_are_those_at_a440() -> None:
    assert heard_pitches(NOTES).tolist() == [60.4, 61.4]
    assert heard_pitches([]).tolist() == []


def test_other_written_pitches_leave_the_heard_ones() -> None:
    written = write_pitches(NOTES, [61, 61])
    assert [note.pitch for note in written] == [61, 61]
    assert np.allclose(heard_pitches(written), [60.4, 61.4])


def test_rounding_follows_the_recording_and_then_the_singer() -> None:
    assert [note.pitch for note in round_to_tuning(NOTES, 40.0)] == [60, 61]
    sharp = [NoteEvent(i, i + 1.0, 60 + i, 80, 48.0) for i in range(8)]
    assert [note.pitch for note in round_to_tuning(sharp, 0.0)] == list(range(60, 68))
    assert round_to_tuning([], 0.0) == []
