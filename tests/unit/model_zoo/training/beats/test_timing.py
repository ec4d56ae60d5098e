"""Simulated performances of written music."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inference_service.music.events import ChordSegment
from model_zoo.training.beats.timing import humanise
from model_zoo.training.sources.filters import is_flat, is_on_grid
from model_zoo.training.sources.piece import Piece
from tests.unit.model_zoo.training.sources.pieces import piece, tune


def build_piece(*, deadpan: bool = True) -> Piece:
    held = replace(tune(count=300), pedal=np.array([[1.0, 127.0], [2.0, 0.0]]))
    chords = (ChordSegment(0.0, 10.0, "C:maj"), ChordSegment(10.0, 20.0, "G:7"))
    return replace(piece(held, replace(tune(1), program=33)), chords=chords, deadpan=deadpan)


def test_what_was_played_stays_as_it_was() -> None:
    played = build_piece(deadpan=False)
    assert humanise(played, np.random.default_rng(0)) is played


def test_a_performance_breathes_and_its_labels_breathe_with_it() -> None:
    written = build_piece()
    loose = 0
    for seed in range(12):
        played = humanise(written, np.random.default_rng(seed))
        assert not played.deadpan
        assert [line.program for line in played.lines] == [0, 33]
        assert not is_flat(played)
        loose += not is_on_grid(played)
        onsets = written.lines[0].notes[:, 0]
        heard = np.interp(onsets, written.beats_s, played.beats_s)
        inside = onsets < written.beats_s[-1]
        assert np.abs(played.lines[0].notes[:, 0] - heard)[inside].max() < 0.1
        assert np.interp(10.0, written.beats_s, played.beats_s) - played.chords[1].start_s < 0.02
        assert np.interp(2.0, written.beats_s, played.beats_s) - played.lines[0].pedal[1, 0] < 0.02
    assert loose >= 6  # a third of the performances are exact


def test_the_tempo_stays_about_the_same() -> None:
    written = build_piece()
    for seed in range(8):
        beats_s = humanise(written, np.random.default_rng(seed)).beats_s
        assert 0.8 < np.median(np.diff(beats_s)) / 0.5 < 1.25


def test_a_piece_without_beats_is_performed_too() -> None:
    written = replace(build_piece(), beats_s=np.zeros(0), positions=np.zeros(0, np.int64))
    played = humanise(written, np.random.default_rng(1))
    assert len(played.lines[0].notes) == 300
    assert not len(played.beats_s)
