"""Readings by the network, in windows or at once."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference_service.checkpoint import save_network
from inference_service.music.events import NoteEvent
from inference_service.rhythm.from_notes import score_reader
from inference_service.rhythm.from_notes.score_network import ScoreNetwork, ScoreNetworkConfig
from inference_service.rhythm.from_notes.score_reader import MARGIN_ATTACKS, Reading, ScoreReader


def save_small(path: Path, seed: int = 0) -> Path:
    """Save a small untrained network in the way training does."""
    torch.manual_seed(seed)
    save_network(ScoreNetwork(ScoreNetworkConfig(width=16, note_width=8)), path)
    return path


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ScoreReader:
    return ScoreReader(save_small(tmp_path_factory.mktemp("weights") / "small.safetensors"))


def improvise(attacks: int, seed: int = 0) -> list[NoteEvent]:
    """Chords of one to three notes, a fifth of a second apart or more."""
    generator = np.random.default_rng(seed)
    onset_s = np.cumsum(generator.uniform(0.2, 0.6, attacks))
    return [
        NoteEvent(t, t + float(generator.uniform(0.1, 1.0)), 48 + 7 * k + attack % 5)
        for attack, t in enumerate(onset_s.tolist())
        for k in range(int(generator.integers(1, 4)))
    ]


def arrays(reading: Reading) -> dict[str, NDArray[np.float64]]:
    return {f.name: getattr(reading, f.name) for f in fields(Reading) if f.name != "attacks"}


def test_every_attack_and_note_is_read(reader: ScoreReader) -> None:
    notes = improvise(40)
    reading = reader.read(notes)
    assert len(reading.attacks.onset_s) == 40
    for name, values in arrays(reading).items():
        assert len(values) == (len(notes) if name in ("length", "hand", "extra") else 40), name
        assert np.isfinite(values).all(), name


@pytest.mark.parametrize("name", ["place", "interval", "tempo", "metre", "fifths", "length"])
def test_opinions_are_log_probabilities(reader: ScoreReader, name: str) -> None:
    values = getattr(reader.read(improvise(10)), name)
    np.testing.assert_allclose(np.exp(values).sum(axis=1), 1.0, atol=1e-5)


def test_one_note_can_be_read(reader: ScoreReader) -> None:
    assert reader.read([NoteEvent(1.0, 2.0, 60)]).place.shape[0] == 1


@pytest.mark.parametrize("attacks", [1999, 2048, 2049, 5000])
def test_windows_read_what_the_whole_does(
    reader: ScoreReader, monkeypatch: pytest.MonkeyPatch, attacks: int
) -> None:
    notes = improvise(attacks)
    in_windows = arrays(reader.read(notes))
    monkeypatch.setattr(score_reader, "WINDOW_ATTACKS", 10**6)
    at_once = arrays(reader.read(notes))
    for name, values in at_once.items():
        np.testing.assert_allclose(in_windows[name], values, atol=2e-3, err_msg=name)


def test_without_a_margin_seams_would_show(
    reader: ScoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = improvise(2100)
    whole = reader.read(notes).place
    monkeypatch.setattr(score_reader, "MARGIN_ATTACKS", 0)
    assert MARGIN_ATTACKS > 0
    assert np.abs(reader.read(notes).place - whole).max() > 2e-3


def test_the_file_says_how_large_the_network_is(tmp_path: Path) -> None:
    first = ScoreReader(save_small(tmp_path / "a.safetensors", 1)).read(improvise(5))
    second = ScoreReader(save_small(tmp_path / "b.safetensors", 2)).read(improvise(5))
    assert not np.allclose(first.place, second.place)
