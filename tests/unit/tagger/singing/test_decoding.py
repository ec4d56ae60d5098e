"""Notes decoded from clear and from unclear outputs of the network."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference_service.tagger.singing.decoding import (
    DecodingOptions,
    Outputs,
    SungNote,
    _segment,
    decode_notes,
    gather_onsets,
)
from inference_service.tagger.singing.features import HOP_S

PLAIN = DecodingOptions(entry=0.0, renewal=0.0, sounding=0.0, min_note_s=0.05)


def outputs_of(
    frames: int, *spans: tuple[int, int], onset: float = 0.9, bend: float = 0.0
) -> Outputs:
    """Outputs of a network that is certain of notes given by their frames."""
    begins, sounds = np.full(frames, 0.002), np.full(frames, 0.02)
    for start, stop in spans:
        begins[start] = onset
        sounds[start:stop] = 0.98
    return Outputs(begins, sounds, np.full(frames, bend))


def decode(
    outputs: Outputs, options: DecodingOptions = PLAIN, pitch: NDArray[np.float64] | None = None
) -> list[SungNote]:
    frames = len(outputs.onset)
    pitch = np.full(frames, 60.0) if pitch is None else pitch
    return decode_notes(outputs, pitch, np.ones(frames), options)


def test_notes_are_where_the_outputs_are() -> None:
    notes = decode(outputs_of(100, (10, 30), (40, 60)))
    assert [round(n.onset_s / HOP_S) for n in notes] == [10, 40]
    assert np.allclose([n.offset_s / HOP_S for n in notes], [29.5, 59.5])


def test_a_repeated_pitch_is_split_by_its_onset_alone() -> None:
    notes = decode(outputs_of(100, (10, 30), (30, 60)))
    assert [round(n.onset_s / HOP_S) for n in notes] == [10, 30]
    assert notes[0].offset_s <= notes[1].onset_s


def test_renewal_decides_whether_a_doubtful_onset_cuts() -> None:
    doubtful = outputs_of(100, (10, 60))
    doubtful.onset[30] = 0.4
    assert len(decode(doubtful)) == 1
    assert len(decode(doubtful, DecodingOptions(0.0, 1.0, 0.0, 0.05))) == 2


def test_nothing_begins_without_an_onset() -> None:
    outputs = outputs_of(100, (10, 60))
    outputs.onset[:] = 0.0
    assert decode(outputs) == []


def test_what_sounds_from_the_first_frame_on_is_a_note() -> None:
    outputs = outputs_of(50, (0, 30))
    outputs.onset[:] = 0.0
    (note,) = decode(outputs)
    assert note.onset_s == 0.0


def test_specks_are_no_notes() -> None:
    outputs = outputs_of(50, (10, 12))
    assert decode(outputs) == []
    assert len(decode(outputs, DecodingOptions(0.0, 0.0, 0.0, 0.02))) == 1


def test_a_pitch_is_what_sure_frames_tell_once_bent() -> None:
    pitch = np.full(100, 60.0)
    pitch[10:14] = 57.0  # a scoop that the network recognises
    outputs = outputs_of(100, (10, 30), bend=0.25)
    outputs.bend[10:14] = 3.25
    (note,) = decode(outputs, pitch=pitch)
    assert note.pitch == pytest.approx(60.25)


def test_there_are_no_notes_without_a_pitch() -> None:
    outputs = outputs_of(100, (10, 30))
    assert decode_notes(outputs, np.full(100, 60.0), np.zeros(100), PLAIN) == []


@pytest.mark.parametrize("place", [20.0, 20.25, 20.5, 20.75])
def test_an_onset_between_two_frames_is_found_there(place: float) -> None:
    onset = np.zeros(50)
    frame = int(place)
    onset[frame], onset[frame + 1] = 0.9 * (1 - (place - frame)), 0.9 * (place - frame)
    gathered, shift = gather_onsets(onset)
    (peak,) = np.flatnonzero(gathered)
    assert gathered[peak] == pytest.approx(0.9)
    assert peak + shift[peak] == pytest.approx(place, abs=0.01)


def rate(
    spans: list[tuple[int, int]],
    entry: NDArray[np.float64],
    renewal: NDArray[np.float64],
    sounding: NDArray[np.float64],
) -> float:
    """The score of a sequence of notes, by the definition in the module's docstring."""
    total = 0.0
    for index, (start, stop) in enumerate(spans):
        follows = index > 0 and spans[index - 1][1] == start
        onset = renewal[start] if follows else entry[start]
        free = start == 0 and sounding[0] > 0.0
        total += (max(onset, 0.0) if free else onset) + sounding[start:stop].sum()
    return total


@given(st.lists(st.tuples(*[st.floats(-3, 3, allow_nan=False)] * 3), min_size=1, max_size=6))
def test_no_other_row_of_notes_is_better(frames: list[tuple[float, float, float]]) -> None:
    courses = [np.array(course) for course in zip(*frames, strict=True)]
    entry, renewal, sounding = courses
    found = [(int(a), int(b)) for a, b in _segment(entry, renewal, sounding)]
    count = len(frames)
    best = 0.0
    # Each frame is a rest, continues a note, or begins one.
    for states in itertools.product("rhb", repeat=count):
        if any(s == "h" and (t == 0 or states[t - 1] == "r") for t, s in enumerate(states)):
            continue
        begins = [t for t, s in enumerate(states) if s == "b"]
        rows = []
        for start in begins:
            stop = start + 1
            while stop < count and states[stop] == "h":
                stop += 1
            rows.append((start, stop))
        best = max(best, rate(rows, entry, renewal, sounding))
    assert rate(found, entry, renewal, sounding) == pytest.approx(best)
