"""The rhythm stage with the shipped weights, on music that no musician would doubt."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from inference_service.music.events import Key, NoteEvent
from inference_service.rhythm.from_notes.stage import NoteRhythmReader, load_reader
from tests.factories import perform

WEIGHTS = Path(str(files("model_zoo") / "weights"))
KEY = Key("C", "major")


@pytest.fixture(scope="module")
def reader() -> NoteRhythmReader:
    for name in ("rhythm.safetensors", "bars.safetensors"):
        if not (WEIGHTS / name).exists():
            pytest.skip(f"the weights {name} are not there")
    names = ("rhythm", "bars", "melody_bars", "beats")
    networks = [WEIGHTS / f"{name}.safetensors" for name in names]
    return load_reader([*networks, WEIGHTS / "readings.json"])


def accompany(beats: int, bars: int = 16, quarter_s: float = 0.5) -> list[NoteEvent]:
    """A bass note on each downbeat and chords on the other beats, under a scale in quarters."""
    scale = (72, 74, 76, 77, 79, 77, 76, 74)
    roots = (48, 53, 55, 48)
    notes = []
    for quarter in range(beats * bars):
        start_s = quarter * quarter_s
        bar, beat = divmod(quarter, beats)
        root = roots[bar % 4]
        below = (root,) if beat == 0 else (root + 16, root + 19)
        notes += [NoteEvent(start_s, start_s + 0.9 * quarter_s, p, 60) for p in below]
        notes.append(NoteEvent(start_s, start_s + 0.9 * quarter_s, scale[quarter % 8], 80))
    return sorted(notes)


@pytest.mark.parametrize("beats", [3, 4])
def test_bass_and_chords_tell_the_bars(reader: NoteRhythmReader, beats: int) -> None:
    """The beat may be read as a quarter or an eighth, but the bars must be right."""
    rhythm = reader.estimate(accompany(beats), KEY)
    assert rhythm is not None
    metres = {3: ("3/4", "3/8"), 4: ("4/4", "2/4")}
    assert rhythm.time_signature in metres[beats]
    downbeats_s = np.array([beat.time_s for beat in rhythm.beats if beat.position == 1])
    bars = downbeats_s / (0.5 * beats)
    assert len(bars) >= 8
    np.testing.assert_allclose(bars, np.rint(bars), atol=0.05)


def test_placed_notes_stand_where_they_were_played(reader: NoteRhythmReader) -> None:
    melody = [(k / 2, 0.5, 60 + k % 12) for k in range(32)]
    (placed,) = reader.place(perform({"piano": melody}, jitter_s=0.01)).placements
    assert [float(p.start_beats) for p in placed] == [start for start, _, _ in melody]


def test_a_low_and_a_high_line_are_two_hands(reader: NoteRhythmReader) -> None:
    lines = [(k, 1, 36 + k % 5) for k in range(24)] + [(k, 1, 76 + k % 5) for k in range(24)]
    performance = perform({"piano": lines})
    (placed,) = reader.place(performance).placements
    for note, place in zip(performance.parts[0].notes, placed, strict=True):
        assert place.is_lower == (note.pitch < 60)


@pytest.mark.parametrize("notes", [[], [NoteEvent(0.0, 1.0, 60)]])
def test_fewer_than_two_notes_have_no_rhythm(
    reader: NoteRhythmReader, notes: list[NoteEvent]
) -> None:
    assert reader.estimate(notes, KEY) is None


def test_one_chord_has_no_rhythm(reader: NoteRhythmReader) -> None:
    assert reader.estimate([NoteEvent(0.0, 1.0, p) for p in (60, 64, 67)], KEY) is None


def test_drums_and_silence_are_left_alone(reader: NoteRhythmReader) -> None:
    performance = perform({"drums": [(0, 1, 36)], "piano": []})
    assert reader.place(performance).placements == ((), ())


@pytest.mark.parametrize("gap_s", [0.0, 1e-4, 60.0])
def test_any_two_notes_can_be_read(reader: NoteRhythmReader, gap_s: float) -> None:
    notes = [NoteEvent(0.0, 0.5, 60), NoteEvent(gap_s, gap_s + 0.5, 62)]
    rhythm = reader.estimate(notes, KEY)
    assert rhythm is None or len(rhythm.beats) >= 2
