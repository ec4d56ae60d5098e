"""Notes decoded from activations that were drawn for known notes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.decoding import (
    DRUM_KEYS,
    DecodingOptions,
    Outputs,
    apex,
    decode_drums,
    decode_notes,
    peaks,
    settle_families,
)
from inference_service.tagger.notes.network import DRUMS
from model_zoo.training.tagger.take import Take
from model_zoo.training.tagger.targets import draw_targets

RATE_HZ = 50.0
FRAMES = 200


def draw(notes: list[tuple[float, ...]], drums: list[tuple[float, ...]] | None = None) -> Outputs:
    """Outputs of a perfect network for notes (onset, offset, pitch, velocity, family)."""
    take = Take(
        np.zeros(1, np.float32),
        np.array(notes, float).reshape(-1, 5),
        np.array(drums or [], float).reshape(-1, 3),
    )
    targets = draw_targets([take], FRAMES, RATE_HZ)
    return Outputs(*(getattr(targets, name)[0].numpy() for name in Outputs._fields))


def test_reads_notes_as_they_were_drawn() -> None:
    piano, bass = FAMILIES.index("piano"), FAMILIES.index("bass")
    found = decode_notes(
        draw(
            [(0.513, 1.207, 60, 90, piano), (0.777, 2.0, 64, 40, piano), (1.0, 3.1, 33, 70, bass)]
        ),
        RATE_HZ,
    )
    assert list(found) == ["piano", "bass"]
    assert [note.pitch for note in found["piano"]] == [60, 64]
    assert found["piano"][0].onset_s == pytest.approx(0.513, abs=0.002)
    assert found["piano"][0].offset_s == pytest.approx(1.207, abs=0.01)
    assert [note.velocity for note in found["piano"]] == [90, 40]
    assert found["bass"][0].offset_s == pytest.approx(3.1, abs=0.01)


@pytest.mark.parametrize("interval_s", [0.08, 0.1, 0.13, 0.25])
def test_repeats_of_one_pitch_are_distinguished(interval_s: float) -> None:
    onsets_s = 0.2 + interval_s * np.arange(8)
    outputs = draw([(t, t + interval_s, 72, 80, 0) for t in onsets_s])
    found = decode_notes(outputs, RATE_HZ)["piano"]
    assert [n.onset_s for n in found] == pytest.approx(onsets_s.tolist(), abs=0.01)
    assert all(a.offset_s <= b.onset_s + 1e-6 for a, b in pairwise(found))


def test_deviation_from_the_keys_is_kept_in_cents() -> None:
    found = decode_notes(draw([(0.5, 1.5, 62.3, 80, FAMILIES.index("voice"))]), RATE_HZ)
    (note,) = found["voice"]
    assert note.pitch == 62
    assert note.pitch_cents == pytest.approx(30, abs=0.1)


def test_a_note_goes_on_across_a_short_dip() -> None:
    outputs = draw([(0.5, 2.0, 60, 80, 0)])
    outputs.frame[60, 39] = 0.0
    (note,) = decode_notes(outputs, RATE_HZ, DecodingOptions(gap_frames=2))["piano"]
    assert note.offset_s == pytest.approx(2.0, abs=0.01)
    outputs.frame[61, 39] = 0.0
    (note,) = decode_notes(outputs, RATE_HZ, DecodingOptions(gap_frames=2))["piano"]
    assert note.offset_s == pytest.approx(1.2, abs=0.01)


def test_a_note_may_sound_until_the_end() -> None:
    (note,) = decode_notes(draw([(3.0, 9.0, 60, 80, 0)]), RATE_HZ)["piano"]
    assert note.offset_s == pytest.approx(FRAMES / RATE_HZ)


def test_silence_has_no_notes() -> None:
    outputs = draw([])
    assert decode_notes(outputs, RATE_HZ) == {}
    assert decode_drums(outputs, RATE_HZ) == []


def test_reads_drums_as_they_were_drawn() -> None:
    kick, snare = DRUMS.index("kick"), DRUMS.index("snare")
    hits = decode_drums(
        draw([], [(0.101, kick, 100), (0.305, snare, 60), (0.4, kick, 90)]), RATE_HZ
    )
    assert [hit.pitch for hit in hits] == [DRUM_KEYS[kick], DRUM_KEYS[snare], DRUM_KEYS[kick]]
    assert [hit.onset_s for hit in hits] == pytest.approx([0.101, 0.305, 0.4], abs=0.002)
    assert [hit.velocity for hit in hits] == [100, 60, 90]


def test_apex_of_a_triangle_between_frames() -> None:
    for centre in (4.0, 4.2, 4.49, 3.6):
        course = np.maximum(1 - np.abs(np.arange(10) - centre) / 2, 0).astype(np.float32)
        peak = int(course.argmax())
        assert peak + apex(course, peak) == pytest.approx(centre, abs=1e-3)


def test_a_plateau_peaks_once() -> None:
    course = np.array([[0.0], [0.6], [0.6], [0.0]], np.float32)
    assert peaks(course, 0.5)[:, 0].tolist() == [False, True, False, False]


def test_a_family_of_few_notes_is_another_one_misheard() -> None:
    piano, mallets, strings = (FAMILIES.index(name) for name in ("piano", "mallets", "strings"))
    likeness = np.full((40, len(FAMILIES)), 0.1, np.float32)
    likeness[:30, piano] = 0.9
    likeness[30:39, strings] = 0.9
    likeness[39, mallets], likeness[39, strings] = 0.9, 0.5
    settled = settle_families(likeness, 0.05)
    assert settled[39] == strings
    assert settled[:30].tolist() == [piano] * 30
    assert settle_families(likeness, 0.0)[39] == mallets


def test_one_note_keeps_its_family() -> None:
    likeness = np.eye(len(FAMILIES), dtype=np.float32)[[3]]
    assert settle_families(likeness, 0.05).tolist() == [3]
