"""Heard pitches, and the semitones of a tuning that follows the singer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inference_service.music.events import NoteEvent
from inference_service.music.intonation import (
    heard_pitches,
    round_to_tuning,
    write_as_sung,
    write_pitches,
)
from tests.factories import perform, sing_flat

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


def test_the_pitches_that_were_sung_come_back() -> None:
    scale = [(k, 1.0, 60 + step) for k, step in enumerate((0, 2, 4, 5, 7, 5, 4, 2))]
    meant = sing_flat(perform({"vocals": scale, "piano": [(0, 8.0, 48)]}), [2, 6])
    sung = write_as_sung(meant)
    assert [note.pitch for note in sung.parts[0].notes] == [60, 62, 63, 65, 67, 65, 63, 62]
    heard = heard_pitches(meant.parts[0].notes)
    assert np.allclose(heard_pitches(sung.parts[0].notes), heard)
    assert sung.parts[1] == meant.parts[1]
    assert write_as_sung(sung) == sung
    again = write_pitches(sung.parts[0].notes, [pitch for _, _, pitch in scale])
    assert tuple(again) == meant.parts[0].notes


def test_unmeasured_pitches_stay() -> None:
    choir = perform({"vocals": [(k % 2, 1.0, 60 + k) for k in range(8)]})
    assert write_as_sung(replace(choir, tuning_cents=50.0)).parts == choir.parts
