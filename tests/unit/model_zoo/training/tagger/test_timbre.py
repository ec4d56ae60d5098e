"""Training of the network that tells families apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.timbre import (
    FRAMES,
    LEVELS,
    TimbreNet,
    TimbreNetConfig,
    find_partials,
)
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger import timbre
from model_zoo.training.tagger.take import Take
from model_zoo.training.tagger.timbre import FitOptions, Notes, fit, load, look, measure, weigh

ORGAN, WINDS = FAMILIES.index("organ"), FAMILIES.index("winds")


def take_of(*notes: tuple[float, float, float, int]) -> Take:
    rows = np.array([(on, off, pitch, 80.0, family) for on, off, pitch, family in notes])
    noise = np.random.default_rng(0).standard_normal(2 * RATE_HZ) * 0.05
    return Take(noise.astype(np.float32), rows, np.zeros((0, 3)))


def notes_of(families: list[int], examples: list[int]) -> Notes:
    """Notes whose partials differ by family."""
    random = np.random.default_rng(1)
    levels = random.standard_normal((len(families), FRAMES, LEVELS)) * 0.3
    levels[np.arange(len(families)), :, 3 * np.array(families)] += 3.0
    return Notes(
        levels.astype(np.float16),
        np.ones((len(families), FRAMES), np.float16),
        np.full(len(families), 60.0, np.float32),
        np.array(families),
        np.array(examples),
    )


def test_only_notes_within_the_take_and_the_range_are_used() -> None:
    network = TimbreNet().eval()
    take = take_of(
        (-0.1, 0.5, 60, ORGAN),
        (0.1, 1.9, 60, ORGAN),
        (0.7, 1.0, 120, ORGAN),
        (1.0, 1.2, 64, WINDS),
    )
    notes = look(network, take, 7, np.random.default_rng(0))
    assert notes.family.tolist() == [ORGAN, WINDS]
    assert notes.example.tolist() == [7, 7]
    with torch.inference_mode():
        spectrum = network.compute_levels(torch.from_numpy(take.samples)).numpy()
    seen = find_partials(spectrum, np.array([[0.1, 1.9, 60], [1.0, 1.2, 64]]), 50.0)
    np.testing.assert_array_equal(notes.levels, seen.levels.astype(np.float16))
    np.testing.assert_array_equal(notes.sounding, seen.sounding)


def test_learns_what_tells_families_apart() -> None:
    random = np.random.default_rng(0)
    families = random.choice([0, ORGAN, WINDS], 1200).tolist()
    notes = notes_of(families, [index // 20 for index in range(1200)])
    torch.manual_seed(0)
    network, said = TimbreNet(TimbreNetConfig(width=16)), list[str]()
    fit(network, notes, said.append, FitOptions(epochs=30))
    assert len(said) == 30
    figures = measure(network, notes)
    assert all(value > 0.97 for value in figures.values())


def test_a_family_weighs_the_root_of_its_notes() -> None:
    notes = notes_of([ORGAN] * 4 + [WINDS] + [ORGAN], [0] * 5 + [1])
    assert weigh(notes) == pytest.approx([0.5] * 4 + [1.0] * 2)


def test_what_was_seen_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> Iterator[Take]:
        while True:
            yield take_of((0.2, 0.6, 60, ORGAN), (0.2, 0.6, 70, WINDS))

    monkeypatch.setattr(timbre, "iterate_examples", endless)
    monkeypatch.setattr(timbre, "KEPT_TOGETHER", 2)
    with pytest.raises(FileNotFoundError, match="no notes"):
        load(tmp_path)
    for seed in (7, 8):
        timbre.collect(tmp_path, tmp_path, TimbreNet().eval(), 1e-5, 1, seed, lambda _: None)
    assert [path.name for path in sorted(tmp_path.glob("*.npz"))] == [
        "0007-0000.npz",
        "0008-0000.npz",
    ]
    notes = load(tmp_path)
    assert notes.family.tolist() == [ORGAN, WINDS] * 4
    assert notes.example.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert notes.levels.shape == (8, FRAMES, LEVELS)
