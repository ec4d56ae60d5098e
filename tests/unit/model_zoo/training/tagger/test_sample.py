"""A sample is a sound, labels that say what is in it, and a picture of both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from inference_service.music.events import ChordSegment, Key
from model_zoo.training.tagger import sample
from model_zoo.training.tagger.sample import draw_picture, to_json, write_samples
from model_zoo.training.tagger.scene import Scene
from model_zoo.training.tagger.take import Take

CHORDS = (ChordSegment(0.0, 1.0, "C"), ChordSegment(1.0, 2.0, "G:7"))
KEY = Key("C", "major")


def make_take() -> Take:
    time_s = np.arange(44_100) / 22_050
    samples = (0.1 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    beats = np.array([[0.5, 1.0], [1.0, 2.0]])
    notes = np.array([[0.1, 1.2, 69.2, 80, 6]])
    return Take(samples, notes, np.array([[0.5, 1.0, 100.0]]), beats, CHORDS, KEY)


def make_scene() -> Scene:
    return Scene("song", "voice", (), 2.0, np.zeros((0, 2)))


def test_labels_are_named() -> None:
    described = to_json(make_scene(), make_take())
    assert described["notes"] == [
        {"onset_s": 0.1, "offset_s": 1.2, "pitch": 69.2, "velocity": 80, "family": "voice"}
    ]
    assert described["drums"] == [{"onset_s": 0.5, "sound": "snare", "velocity": 100}]
    assert described["chords"][1] == {"start_s": 1.0, "end_s": 2.0, "label": "G:7"}
    assert described["key"] == {"tonic": "C", "mode": "major"}
    assert described["beats"][0] == {"time_s": 0.5, "position": 1}


def test_writes_sound_labels_and_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "load_corpora", lambda *_, **__: None)
    monkeypatch.setattr(sample, "_draw", lambda *_: (make_scene(), make_take()))
    arguments = (tmp_path, tmp_path / "out", 2, 5, None)
    paths = list(write_samples(*arguments, damage=True))
    assert [path.name for path in paths] == ["00-voice.flac", "01-voice.flac"]
    sounds = [soundfile.read(path)[0] for path in paths]
    assert not np.array_equal(*sounds)  # each is damaged otherwise
    assert json.loads(paths[0].with_suffix(".json").read_text())["piece"] == "song"
    assert paths[0].with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    first = paths[0].read_bytes()
    list(write_samples(*arguments, damage=True))
    assert paths[0].read_bytes() == first


def test_draws_silence(tmp_path: Path) -> None:
    take = Take(np.zeros(22_050, np.float32), np.zeros((0, 5)), np.zeros((0, 3)))
    draw_picture(take, tmp_path / "silence.png")
    assert (tmp_path / "silence.png").exists()
