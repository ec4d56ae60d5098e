"""Scenes of soloists and of players of one line each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference_service.music.families import FAMILIES, family_of
from model_zoo.training.beats.prepare import Corpora
from model_zoo.training.sources.piece import Piece
from model_zoo.training.tagger import scene
from model_zoo.training.tagger.scene import Scene, draw_scene
from tests.unit.model_zoo.training.sources.pieces import piece, shift, tune

CORPORA = Corpora(Path("none"), [], {}, [])


def build_quartet() -> Piece:
    return piece(*(shift(tune(voice, 200), -7 * voice) for voice in range(4)), name="quartet")


def draw(monkeypatch: pytest.MonkeyPatch, kind: scene.Kind, count: int) -> list[Scene]:
    monkeypatch.setattr(scene, "draw_piece", lambda *_: build_quartet())
    return [draw_scene(CORPORA, np.random.default_rng(seed), kind) for seed in range(count)]


def test_players_of_an_ensemble_play_one_note_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = draw(monkeypatch, "ensemble", 60)
    assert {len(each.tracks) for each in drawn} == {2, 3, 4}
    for each in drawn:
        for track in each.tracks:
            assert (track.notes[1:, 0] >= track.notes[:-1, 1] - 1e-9).all()


def test_soloists_of_every_family_play_lines_or_chords(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = draw(monkeypatch, "solo", 120)
    assert {len(each.tracks) for each in drawn} == {1}
    heard = {family_of(each.tracks[0].program) for each in drawn}
    assert heard == set(FAMILIES) - {"bass"}
    tracks = [each.tracks[0].notes for each in drawn]
    of_chords = np.mean([(notes[1:, 0] < notes[:-1, 1] - 0.05).mean() > 0.3 for notes in tracks])
    assert 0.25 < of_chords < 0.65
