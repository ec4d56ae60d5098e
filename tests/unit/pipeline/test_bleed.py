"""Removal of bleed: the melody appears once, and only where somebody sings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inference_service.audio.waveform import Waveform
from inference_service.music.events import NoteEvent, Part
from inference_service.pipeline.bleed import (
    ADJOINING_SEMITONES,
    SURE_DB,
    SURE_LOUDNESS_DB,
    WEAKEST_DB,
    remove_bleed,
    remove_residue,
)
from tests.factories import build_noise, build_notes

SUNG = [NoteEvent(1.0, 2.0, 60), NoteEvent(3.0, 4.0, 60), NoteEvent(4.0, 5.0, 64)]


def band(*notes: NoteEvent) -> list[Part]:
    return [Part("guitar", "Guitar", notes, 24)]


def test_echoes_of_the_singer_are_left_out() -> None:
    echoes = (NoteEvent(0.95, 2.1, 60), NoteEvent(3.4, 3.9, 60), NoteEvent(4.05, 4.9, 64))
    kept = (NoteEvent(1.0, 1.9, 67), NoteEvent(2.0, 2.9, 67), NoteEvent(3.0, 3.9, 67))
    (part,) = remove_bleed(band(*echoes, *kept), SUNG)
    assert part.notes == kept
    assert remove_bleed(band(*echoes, kept[0]), SUNG) == []


def test_what_outlasts_or_precedes_the_singer_is_the_band_s() -> None:
    notes = (NoteEvent(0.5, 1.8, 60), NoteEvent(1.0, 2.6, 60), NoteEvent(2.2, 2.8, 60))
    (part,) = remove_bleed(band(*notes), SUNG)
    assert part.notes == notes


def test_an_instrument_that_only_echoes_is_none() -> None:
    assert remove_bleed(band(NoteEvent(1.1, 1.9, 60)), SUNG) == []


def test_drums_have_no_pitch_to_share() -> None:
    drums = Part("drums", "Drums", (NoteEvent(1.1, 1.2, 60),), None, is_drum=True)
    assert remove_bleed([drums], SUNG) == [drums]


RATE_HZ = 8000


def stem(*levels_db: float) -> Waveform:
    """Return stereo noise with a second at each level."""
    noise = [build_noise(1.0, rate_hz=RATE_HZ, amplitude=10 ** (x / 20)) for x in levels_db]
    return Waveform(np.stack([np.concatenate(noise)] * 2), RATE_HZ)


PHRASE = [NoteEvent(float(k), k + 0.9, 60) for k in range(4)]
APART = [NoteEvent(float(k), k + 0.5, 60) for k in range(4)]


def test_what_is_far_below_the_mixture_was_not_sung() -> None:
    mixture = stem(-20, -20, -20, -20)
    vocals = stem(-23, -20 + SURE_DB + 1, -20 + SURE_DB - 1, -60)
    assert remove_residue(APART, vocals, mixture) == APART[:2]


def test_what_is_far_below_the_loud_notes_was_not_sung() -> None:
    levels = (-20, -20, -20 + SURE_LOUDNESS_DB + 1, -20 + SURE_LOUDNESS_DB - 1)
    vocals = stem(*levels)
    assert remove_residue(APART, vocals, vocals) == APART[:3]


def test_loud_residue_makes_no_singer_faint() -> None:
    mixture, vocals = stem(10, 10, -40, -40), stem(-10, -10, -42, -42)
    assert remove_residue(APART, vocals, mixture) == APART[2:]


def test_weak_notes_are_sung_within_a_phrase() -> None:
    mixture = stem(-20, -20, -20, -20)
    weak_db = -20 + WEAKEST_DB + 2
    vocals = stem(weak_db, weak_db, -20, -20 + WEAKEST_DB - 2)
    assert remove_residue(PHRASE, vocals, mixture) == PHRASE[:3]
    vocals = stem(weak_db, weak_db, weak_db, weak_db)
    assert remove_residue(PHRASE, vocals, mixture) == []


def test_a_leap_is_not_within_a_phrase() -> None:
    leap = [*PHRASE[:3], replace(PHRASE[3], pitch=PHRASE[2].pitch + ADJOINING_SEMITONES + 1)]
    vocals = stem(-20, -20, -20, -20 + WEAKEST_DB + 2)
    assert remove_residue(leap, vocals, stem(-20, -20, -20, -20)) == leap[:3]


def test_a_drum_does_not_hide_a_singer() -> None:
    voice = build_notes(PHRASE, rate_hz=RATE_HZ)
    thump = build_notes([NoteEvent(0.0, 3.9, 30)], rate_hz=RATE_HZ, harmonics=1)
    samples = np.zeros_like(voice.samples)
    samples[:, : thump.samples.shape[1]] = 30 * thump.samples[:, : samples.shape[1]]
    mixture = Waveform(voice.samples + samples, RATE_HZ)
    assert remove_residue(PHRASE, voice, mixture) == PHRASE


def test_an_instrumental_has_no_vocals() -> None:
    silence = Waveform(np.zeros((2, 4 * RATE_HZ), np.float32), RATE_HZ)
    assert remove_residue(APART, silence, stem(-20, -20, -20, -20)) == []
    assert remove_residue([], silence, silence) == []
