"""Scenes of folders' pieces, beside those of the archives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference_service.music.programs import SINGERS
from model_zoo.training.beats.prepare import Corpora, load_corpora
from model_zoo.training.sources.piece import Piece
from model_zoo.training.tagger import scene
from model_zoo.training.tagger.scene import Scene, draw_scene
from tests.unit.model_zoo.training.sources.pieces import piece, shift, tune
from tests.unit.model_zoo.training.sources.test_midi_folder import notes, save


def build_song() -> Piece:
    lines = [
        replace(tune(0, 400), program=SINGERS[0]),
        replace(shift(tune(1, 400), -24), program=33, role="bass"),
        replace(tune(2, 400), program=None, role="drums", notes=shift(tune(2, 400), -24).notes),
        replace(tune(3, 400), program=27, pedal=np.array([[0.0, 127.0]])),
    ]
    return replace(piece(*lines, name="song"), deadpan=True)


def draw_others(monkeypatch: pytest.MonkeyPatch, *pieces: Piece) -> list[Scene]:
    monkeypatch.setattr(scene, "OTHERS_SHARE", 1.0)
    corpora = Corpora(Path("none"), [], {}, [], list(pieces))
    return [draw_scene(corpora, np.random.default_rng(seed)) for seed in range(6)]


def test_a_scene_of_a_folder_plays_its_instruments(monkeypatch: pytest.MonkeyPatch) -> None:
    for drawn in draw_others(monkeypatch, build_song()):
        assert drawn.kind == "band"
        programs = [(track.program, track.is_drum) for track in drawn.tracks]
        assert programs == [(SINGERS[0], False), (33, False), (0, True), (27, False)]
        voice = drawn.tracks[0].notes
        assert (voice[1:, 0] >= voice[:-1, 1] - 1e-9).all()
        for track in drawn.tracks:
            assert track.notes[:, 1].max() <= drawn.length_s + 1e-9
            assert (np.diff(track.notes[:, 0]) >= 0).all()
        assert len(drawn.beats) > 20
        assert set(drawn.beats[:, 1]) == {1, 2, 3, 4}


def test_drums_alone_are_a_scene_of_drums(monkeypatch: pytest.MonkeyPatch) -> None:
    song = build_song()
    alone = replace(song, lines=song.lines[2:3])
    assert {drawn.kind for drawn in draw_others(monkeypatch, alone)} == {"drums"}


def test_without_folders_nothing_is_drawn_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without folders, the random draws are those of a run without this option."""
    monkeypatch.setattr(scene, "OTHERS_SHARE", 1.0)
    drawn = {}

    def compose(corpora: Corpora, length_s: float, random: np.random.Generator) -> object:
        drawn["length_s"] = length_s
        return build_song(), [scene.Track(0, tune().notes, np.zeros((0, 2)))]

    monkeypatch.setattr(scene, "COMPOSERS", dict.fromkeys(scene.SHARES, compose))
    draw_scene(Corpora(Path("none"), [], {}, []), np.random.default_rng(5))
    random = np.random.default_rng(5)
    random.choice(len(scene.SHARES), p=list(scene.SHARES.values()))
    assert drawn["length_s"] == random.uniform(*scene.LENGTH_S)


def test_folders_are_split_by_composition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, title in enumerate(("One", "Kalinka", "Oh! Susanna")):
        save(tmp_path / "found" / f"{title}.mid", notes(tune(number, 300).notes))
    monkeypatch.setattr("model_zoo.training.beats.prepare.count_songs", lambda _: 0)
    monkeypatch.setattr("model_zoo.training.beats.prepare.read_archive", lambda _: [])
    monkeypatch.setattr("model_zoo.training.beats.prepare.read_grooves", lambda _: [])
    found = [tmp_path / "found"]
    kept = {dev: load_corpora(tmp_path, dev=dev, folders=found).others for dev in (False, True)}
    assert [other.name for other in kept[False]] == ["One.mid"]
    assert [other.name for other in kept[True]] == ["Oh! Susanna.mid"]
    assert kept[False][0].deadpan
