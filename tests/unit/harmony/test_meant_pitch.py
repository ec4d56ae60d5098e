"""Pitches that singers meant, on melodies whose error is known."""

from __future__ import annotations

from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from inference_service.harmony.as_sung import AsSung
from inference_service.harmony.meant_pitch import MeantPitchDecoder
from inference_service.harmony.melodic_prior import load_prior
from inference_service.music.events import Key, NoteEvent
from inference_service.music.intonation import heard_pitches, round_to_tuning

ODE = (
    64,
    64,
    65,
    67,
    67,
    65,
    64,
    62,
    60,
    60,
    62,
    64,
    64,
    62,
    62,
    64,
    64,
    65,
    67,
    67,
    65,
    64,
    62,
    60,
)
CHROMATIC = (60, 64, 67, 66, 67, 69, 68, 69, 72, 71, 70, 69, 65, 64, 63, 62, 61, 62, 67, 59, 60)


@pytest.fixture(scope="module")
def decoder() -> MeantPitchDecoder:
    weights = Path(str(files("model_zoo") / "weights" / "melody.safetensors"))
    return MeantPitchDecoder(load_prior(weights))


def sing(
    heard: np.ndarray[tuple[int], np.dtype[np.float64]], note_s: float = 0.5
) -> list[NoteEvent]:
    """Notes that were heard at these pitches, written at the nearest semitones of A440."""
    return [
        NoteEvent(note_s * i, note_s * (i + 0.9), round(pitch), 80, 100 * (pitch - round(pitch)))
        for i, pitch in enumerate(heard.tolist())
    ]


def intervals(notes: list[NoteEvent]) -> list[int]:
    pitches = [note.pitch for note in notes]
    return [after - before for before, after in pairwise(pitches)]


def share_right(takes: list[list[NoteEvent]]) -> float:
    """Share of notes at the pitches of :data:`ODE`."""
    return float(np.mean([[note.pitch for note in notes] == np.array(ODE) for notes in takes]))


@pytest.mark.parametrize("shift", [-0.45, 0.0, 0.3, 0.5])
@pytest.mark.parametrize("melody", [ODE, CHROMATIC])
def test_a_precise_melody_between_the_keys_keeps_its_intervals(
    decoder: MeantPitchDecoder, melody: tuple[int, ...], shift: float
) -> None:
    meant = decoder.decode(sing(np.array(melody) + shift), None)
    assert intervals(meant) == np.diff(melody).tolist()


def test_an_unsteady_singer_is_read_better_than_by_rounding(decoder: MeantPitchDecoder) -> None:
    random = np.random.default_rng(0)
    melody = np.array(ODE)
    takes = [sing(melody + random.normal(0, 0.3, len(ODE))) for _ in range(20)]
    rounded = share_right([round_to_tuning(notes, 0.0) for notes in takes])
    meant = share_right([decoder.decode(notes, None) for notes in takes])
    assert meant > max(0.95, rounded + 0.04)


def test_a_singer_who_drifts_by_a_semitone_stays_in_one_key(decoder: MeantPitchDecoder) -> None:
    melody = np.tile(ODE, 2)
    heard = melody + np.linspace(-0.3, 0.45, len(melody))
    assert intervals(decoder.decode(sing(heard), None)) == np.diff(melody).tolist()


def test_a_repeated_note_is_the_same_note(decoder: MeantPitchDecoder) -> None:
    melody = np.array([60, 60, 60, 60, 62, 64, 64, 64, 62, 62, 60, 60])
    heard = melody + np.resize([0.0, 0.55, -0.1, 0.5], len(melody))
    assert intervals(decoder.decode(sing(heard), None)) == np.diff(melody).tolist()


def test_a_known_key_has_a_say(decoder: MeantPitchDecoder) -> None:
    heard = np.array([60.0, 62.0, 63.5, 65.0, 67.0, 63.5, 62.0, 60.0] * 2)
    major = decoder.decode(sing(heard), Key("C", "major"))
    minor = decoder.decode(sing(heard), Key("C", "minor"))
    assert {note.pitch % 12 for note in major} == {0, 2, 4, 5, 7}
    assert {note.pitch % 12 for note in minor} == {0, 2, 3, 5, 7}


def test_times_and_heard_pitches_stay(decoder: MeantPitchDecoder) -> None:
    random = np.random.default_rng(0)
    notes = sing(np.array(ODE) + random.normal(0, 0.4, len(ODE)))
    meant = decoder.decode(notes, None)
    assert [(n.onset_s, n.offset_s, n.velocity) for n in meant] == [
        (n.onset_s, n.offset_s, n.velocity) for n in notes
    ]
    assert np.allclose(heard_pitches(meant), heard_pitches(notes))
    assert np.abs(heard_pitches(meant) - [n.pitch for n in meant]).max() < 2.0


def test_nothing_and_a_single_note(decoder: MeantPitchDecoder) -> None:
    assert decoder.decode([], None) == []
    (note,) = decoder.decode(sing(np.array([60.2])), None)
    assert note.pitch == 60


def test_as_sung_leaves_the_notes_as_they_are() -> None:
    notes = sing(np.array([60.0, 63.5]))
    assert AsSung().decode(notes, Key("C", "major")) == notes
