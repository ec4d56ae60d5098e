"""The melody tagger on tones with known pitch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.music.events import NoteEvent
from inference_service.progress import ignore
from inference_service.tagger.swift_f0 import CHUNK_S, MIN_NOTE_S, SwiftF0Tagger
from tests.factories import build_noise, build_notes, build_scale, build_tone


@pytest.fixture(scope="module")
def tagger() -> SwiftF0Tagger:
    return SwiftF0Tagger(threads=1)


def test_finds_every_note_of_a_scale(tagger: SwiftF0Tagger) -> None:
    scale = build_scale()
    notes = tagger.tag(build_notes(scale), 0.0, ignore)
    assert [note.pitch for note in notes] == [note.pitch for note in scale]
    assert np.allclose([n.onset_s for n in notes], [n.onset_s for n in scale], rtol=0.0, atol=0.05)


@pytest.mark.parametrize("cents", [-45.0, -20.0, 30.0, 45.0])
def test_writes_a_singer_between_the_keys_on_one_scale(tagger: SwiftF0Tagger, cents: float) -> None:
    scale = build_scale()
    notes = tagger.tag(build_notes(scale, tuning_cents=cents), cents, ignore)
    assert [note.pitch for note in notes] == [note.pitch for note in scale]
    assert np.allclose([note.pitch_cents for note in notes], cents, rtol=0.0, atol=6.0)


def test_follows_a_singer_whom_the_recordings_tuning_does_not_describe(
    tagger: SwiftF0Tagger,
) -> None:
    scale = build_scale((60, 62, 64, 65, 67) * 4)
    notes = tagger.tag(build_notes(scale, tuning_cents=45.0), 20.0, ignore)
    assert [note.pitch for note in notes] == [note.pitch for note in scale]


def test_louder_notes_have_higher_velocities(tagger: SwiftF0Tagger) -> None:
    played = [
        NoteEvent(0.0, 0.5, 60, 30),
        NoteEvent(0.6, 1.1, 64, 70),
        NoteEvent(1.2, 1.7, 67, 120),
    ]
    velocities = [note.velocity for note in tagger.tag(build_notes(played), 0.0, ignore)]
    assert velocities == sorted(velocities)
    assert velocities[0] < velocities[2]
    assert all(1 <= velocity <= 127 for velocity in velocities)


def test_notes_do_not_overlap_and_are_no_specks(tagger: SwiftF0Tagger) -> None:
    waveform = build_notes(build_scale((60, 61, 60, 62) * 5, note_s=0.12))
    notes = tagger.tag(waveform, 0.0, ignore)
    assert all(a.offset_s <= b.onset_s for a, b in pairwise(notes))
    assert all(note.offset_s - note.onset_s >= MIN_NOTE_S / 2 for note in notes)
    assert all(note.offset_s <= waveform.duration_s for note in notes)


def test_chunks_give_what_the_whole_gives(tagger: SwiftF0Tagger) -> None:
    scale = build_scale((60, 64, 67, 72) * 15)
    waveform = build_notes(scale, rate_hz=16000)
    assert waveform.duration_s > 2 * CHUNK_S
    chunked = tagger.track(waveform, ignore)
    whole = tagger._detector.detect(waveform.mono(), 16000)
    assert np.allclose(chunked.pitch_hz, whole.pitch_hz, rtol=1e-3)
    assert np.allclose(chunked.confidence, whole.confidence, atol=1e-3)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(1, np.float32),
        np.zeros(100, np.float32),
        np.zeros(44100, np.float32),
        build_noise(1.0, amplitude=1e-4),
        np.ones(4410, np.float32),
    ],
    ids=["one sample", "short", "silence", "faint noise", "constant"],
)
def test_nothing_sung_gives_no_notes(
    tagger: SwiftF0Tagger, samples: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> None:
    assert tagger.tag(Waveform(samples[None], 44100), 0.0, ignore) == []


def test_stops_when_cancelled(tagger: SwiftF0Tagger) -> None:
    fractions: list[float] = []

    def cancel(fraction: float) -> None:
        fractions.append(fraction)
        if fraction > 0.3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        tagger.tag(Waveform(build_tone(220.0, 35.0)[None], 44100), 0.0, cancel)
    assert fractions == sorted(fractions)
    assert fractions[-1] < 0.7
