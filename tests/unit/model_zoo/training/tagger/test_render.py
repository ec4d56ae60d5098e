"""Rendering: instruments recorded in many ways play what the labels say."""

from __future__ import annotations

import io
from dataclasses import replace

import mido
import numpy as np
import pytest

from inference_service.music.families import FAMILIES, family_of
from inference_service.music.programs import SINGERS
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.soundfonts import SOUNDFONTS
from model_zoo.training.tagger.render import _express, encode_tracks, render, vary
from model_zoo.training.tagger.scene import Scene, Track
from model_zoo.training.tagger.take import Take

A4 = Track(73, np.array([[0.5, 2.0, 69.0, 90.0]]), np.zeros((0, 2)))


def test_keys_are_as_much_lower_as_the_tuning_is_higher() -> None:
    plain, stretched = (
        mido.MidiFile(file=io.BytesIO(encode_tracks([A4], np.random.default_rng(0), stretch)))
        for stretch in (0, 3)
    )
    keys = [[m.note for m in midi if m.type == "note_on"] for midi in (plain, stretched)]
    assert keys == [[69], [66]]
    controls = [(m.control, m.value) for m in stretched if m.type == "control_change"]
    assert controls[-3:] == [(101, 0), (100, 2), (6, 67)]


def test_drums_and_impossible_keys_are_not_stretched() -> None:
    kick = Track(0, np.array([[0.5, 0.6, 36.0, 90.0]]), np.zeros((0, 2)), is_drum=True)
    midi = mido.MidiFile(file=io.BytesIO(encode_tracks([kick], np.random.default_rng(0), 3)))
    assert [m.note for m in midi if m.type == "note_on"] == [36]
    lowest = Track(73, np.array([[0.5, 2.0, 2.0, 90.0]]), np.zeros((0, 2)))
    with pytest.raises(ValueError, match=r"0\.\.127"):
        encode_tracks([lowest], np.random.default_rng(0), 3)


def test_parts_go_to_other_instruments_of_their_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_zoo.training.tagger.render.VARIED_SHARE", 1.0)
    random = np.random.default_rng(0)
    for program, family in ((73, "winds"), (81, "synth"), (33, "bass"), (48, "strings")):
        varied = [vary(replace(A4, program=program), random) for _ in range(40)]
        assert {family_of(track.program) for track in varied} == {family}
        assert len({track.program for track in varied}) > 4
        assert all(track.notes[0, 2] % 12 == 69 % 12 for track in varied)
    for program in (0, SINGERS[0]):
        assert vary(replace(A4, program=program), random).program == program
    kit = replace(A4, program=0, is_drum=True)
    assert vary(kit, random) is kit


@pytest.mark.skipif(
    not any(path.exists() for paths, _ in SOUNDFONTS for path in paths),
    reason="no soundfont to train with is installed",
)
def test_whatever_plays_sounds_at_the_pitch_of_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    for share, value in (("SAMPLED", -1.0), ("STRETCHED", 2.0), ("EXPRESSIVE", -1.0)):
        monkeypatch.setattr(f"model_zoo.training.tagger.render.{share}_SHARE", value)
    scene = Scene("one note", "chamber", (A4,), 2.0, np.zeros((0, 2)))
    heard = set()
    for seed in range(6):
        take = render(scene, np.random.default_rng(seed))
        excerpt = take.samples[round(0.8 * RATE_HZ) : round(1.8 * RATE_HZ)]
        spectrum = np.abs(np.fft.rfft(excerpt * np.hanning(len(excerpt))))
        near = slice(400, 481)  # hertz, since the excerpt lasts a second
        assert abs(400 + int(spectrum[near].argmax()) - 440) <= 4
        assert take.notes[0, :3].tolist() == [0.5, 2.0, 69.0]
        heard.add(round(float(np.abs(take.samples).mean()), 6))
    assert len(heard) == 6, "no two recordings are alike"


def test_lines_are_played_with_vibrato_and_swells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitches stay near their labels, notes where they begin; chords and pianos do not change."""
    monkeypatch.setattr("model_zoo.training.tagger.render.EXPRESSIVE_SHARE", 1.0)
    monkeypatch.setattr("model_zoo.training.tagger.render.VIBRATO_CENTS", (30.0, 30.0))
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    wave = np.sin(2 * np.pi * 440 * time_s).astype(np.float32)
    flute, piano = (FAMILIES.index(family) for family in ("winds", "piano"))
    line = Take(wave, np.array([[0.1, 1.9, 69.0, 80.0, flute]]), np.zeros((0, 3)))
    chord = replace(line, notes=np.repeat(line.notes, 2, axis=0))
    pianist = replace(line, notes=line.notes * [1, 1, 1, 1, 0] + [0, 0, 0, 0, piano])
    random = np.random.default_rng(0)
    assert _express(chord, random) is chord
    assert _express(pianist, random) is pianist
    played = _express(line, random)
    assert np.array_equal(played.samples[: RATE_HZ // 10], wave[: RATE_HZ // 10])
    rising = np.flatnonzero((played.samples[:-1] < 0) & (played.samples[1:] >= 0))
    pitches = 69 + 12 * np.log2(RATE_HZ / np.diff(rising) / 440)
    assert 0.03 < np.std(np.convolve(pitches, np.ones(12) / 12, "valid")) < 0.4
    assert np.abs(pitches.mean() - 69) < 0.1
    assert played.notes is line.notes
