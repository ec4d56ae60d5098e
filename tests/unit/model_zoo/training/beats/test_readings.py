"""Parameters of readings, fitted to examples with a clear pulse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.network import BeatNet, BeatNetConfig, Logits
from inference_service.rhythm.from_sound.readings import compare
from model_zoo.training.beats.dataset import load_example
from model_zoo.training.beats.readings import fit, fit_folder, read_excerpts
from tests.unit.model_zoo.training.beats.test_train import write_example


@pytest.fixture(name="cache")
def fill_cache(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    for number in range(6):
        path = tmp_path / "dev" / f"{number}.npz"
        write_example(path, seconds=24 + number, beat_s=(0.5, 0.7, 0.9)[number % 3])
        with np.load(path) as kept:
            changes = kept["beats_s"][kept["positions"] == 1]
            np.savez(path, **kept, chord_s=changes)
    return tmp_path


class Clicks(BeatNet):
    """Finds the clicks of the examples."""

    def forward(self, features: torch.Tensor) -> Logits:
        beat = features[:, -1] - 2.5
        return Logits(beat, features[:, 0] - 2.5, torch.full_like(beat, -3.0))


def test_fitted_parameters_choose_the_right_reading(cache: Path) -> None:
    said: list[str] = []
    model = fit_folder(cache, Clicks(BeatNetConfig(channels=8, doublings=2)), said.append)
    assert "chosen" in said[0]
    assert (model.kinds > 0).any()
    example = load_example(cache / "dev" / "0.npz")
    excerpt = read_excerpts(
        example,
        example.beats[example.positions == 1] / FRAMES_PER_S,
        Clicks(BeatNetConfig(channels=8, doublings=2)),
        np.random.default_rng(0),
    )[0]
    best = compare(excerpt.candidates, model, excerpt.duration_s)[0]
    assert best.time_signature == "4/4"
    count = len(example.beats)  # beats go on to the end of the sound
    assert best.frames[:count].tolist() == np.rint(example.beats).astype(int).tolist()
    assert best.positions[:count].tolist() == example.positions.tolist()


def test_nothing_prepared_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fit_folder(tmp_path, BeatNet(BeatNetConfig(channels=8, doublings=2)), print)


def test_metres_without_examples_keep_neutral_evidence(cache: Path) -> None:
    network = Clicks(BeatNetConfig(channels=8, doublings=2))
    example = load_example(cache / "dev" / "0.npz")
    excerpts = read_excerpts(example, np.zeros(0), network, np.random.default_rng(0))
    model = fit(excerpts, lambda _: None)
    assert (model.emissions[3].compare(excerpts[0].candidates[0].evidence) == 0).all()
