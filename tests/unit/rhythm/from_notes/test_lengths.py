"""Notes are written as long as they were heard."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from inference_service.music.events import NoteEvent, Part, Transcription
from inference_service.rhythm.from_notes.lengths import LONGEST_LENGTH, Release
from inference_service.rhythm.from_notes.placement import place_notes
from inference_service.rhythm.from_notes.score_network import INTERVALS, QUARTER_PARTS
from tests.factories import perform
from tests.unit.rhythm.from_notes.readings import FixedReader, build_blank, classify, sure

BASS, PIANO = 33, 0

Line = Sequence[tuple[float, float, int]]


def lengths(line: Line, program: int, **predicted: Any) -> list[Fraction]:
    """Return the durations that a part is written with, given what the network predicts."""
    notes = tuple(NoteEvent(start / 2, (start + length) / 2, p) for start, length, p in line)
    frame = perform({"piano": line}, bpm=120)
    part = Part("part", "Part", notes, program)
    reader = FixedReader(build_blank(sorted(notes), **predicted))
    ((placed,), _) = place_notes(Transcription(**{**_fields(frame), "parts": (part,)}), reader)
    return [p.duration_beats for p in placed]


def _fields(frame: Transcription) -> dict[str, Any]:
    return {name: getattr(frame, name) for name in frame.__dataclass_fields__}


def predict(*quarters: float) -> dict[str, Any]:
    """Predict durations with great certainty."""
    return {"length": 6 * sure(classify(np.array(quarters)), len(INTERVALS))}


@pytest.mark.parametrize("program", [BASS, PIANO])
def test_a_bass_note_of_two_beats_is_not_written_for_six(program: int) -> None:
    line = [(0, 2, 40), (6, 2, 45), (8, 4, 40)]
    assert lengths(line, program, **predict(6, 2, 4))[0] <= 4
    assert lengths(line, BASS, **predict(6, 2, 4))[0] == 2


def test_an_early_end_is_written_in_full() -> None:
    line = [(0, 0.8, 40), (1, 0.7, 43), (2, 0.9, 45), (3, 1, 47)]
    assert lengths(line, BASS, **predict(1, 1, 1, 1)) == [1, 1, 1, 1]


def test_pianists_leave_a_key_early() -> None:
    staccato = [(k, 0.3, 60 + k) for k in range(4)]
    assert lengths(staccato, PIANO, **predict(1, 1, 1, 1)) == [1, 1, 1, 1]
    assert max(lengths(staccato, BASS, **predict(1, 1, 1, 1))[:3]) < 1


def test_a_note_ends_where_its_pitch_begins_again() -> None:
    line = [(0, 4, 48), (0, 1, 60), (1, 1, 62), (2, 2, 48), (2, 1, 64), (3, 1, 65)]
    assert lengths(line, PIANO, **predict(4, 1, 1, 2, 1, 1))[0] <= 2


def test_notes_of_a_single_line_do_not_overlap() -> None:
    ringing = [(k, 1.6, 60 + 2 * k % 7) for k in range(12)]
    assert lengths(ringing, 24, **predict(*[2] * 12))[:11] == [1] * 11


def test_limits_are_the_next_of_the_same_pitch() -> None:
    notes = [NoteEvent(0.5 * k, 0.5 * k + 0.4, p) for k, p in enumerate((60, 64, 67, 60, 64, 60))]
    chords = [note for n in notes for note in (n, NoteEvent(n.onset_s, n.offset_s, n.pitch + 3))]
    starts = np.repeat(np.arange(6), 2) * QUARTER_PARTS
    limits = Release.of(sorted(chords), starts, is_keyboard=True).limits
    by_pitch = dict(zip([n.pitch for n in sorted(chords)][:6], limits.tolist(), strict=False))
    assert by_pitch[60] == 3 * QUARTER_PARTS
    assert by_pitch[64] == 4 * QUARTER_PARTS
    assert by_pitch[63] == 3 * QUARTER_PARTS
    assert limits[-1] > 100 * LONGEST_LENGTH
