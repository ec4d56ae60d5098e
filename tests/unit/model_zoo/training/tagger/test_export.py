"""Thresholds are chosen from outputs, stored with float16 weights, and read by the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.checkpoint import load_network, save_network
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.decoding import DecodingOptions, Outputs
from inference_service.tagger.notes.network import (
    DRUMS,
    LOWEST_PITCH,
    PITCHES,
    NoteNet,
    NoteNetConfig,
)
from inference_service.tagger.notes.tagger import load_tagger
from model_zoo.training.evaluate.systems import TIMBRE
from model_zoo.training.tagger import export as exporting
from model_zoo.training.tagger.take import Take
from model_zoo.training.tagger.thresholds import choose, hear

RATE_HZ = 50.0
SMALL = NoteNetConfig(
    front_end_channels=4, channels=8, width=16, layers=1, heads=2, reach=3, before=(1,), after=(1,)
)


def draw_outputs(
    real: list[tuple[float, float]], sham: list[tuple[float, float]], height: float, low: float
) -> Outputs:
    """Onsets of middle C as high as ``height`` where notes are, as ``low`` where none are."""
    frames = 200
    onset, frame = np.zeros((2, frames, PITCHES), np.float32)
    for notes, level in ((real, height), (sham, low)):
        for onset_s, offset_s in notes:
            onset[round(onset_s * RATE_HZ), 60 - LOWEST_PITCH] = level
            frame[round(onset_s * RATE_HZ) : round(offset_s * RATE_HZ), 60 - LOWEST_PITCH] = 0.9
    drums = np.zeros((frames, len(DRUMS)), np.float32)
    drums[50, 0], drums[100, 0] = height, low
    rest = np.zeros((frames, PITCHES), np.float32)
    family = np.zeros((frames, PITCHES, len(FAMILIES)), np.float32)
    return Outputs(onset, rest, frame, rest, rest, family, drums, drums)


@pytest.mark.parametrize(("height", "low"), [(0.6, 0.42), (0.4, 0.22)])
def test_thresholds_lie_between_notes_and_noise(height: float, low: float) -> None:
    real, sham = [(0.5, 0.9), (2.0, 2.4)], [(1.2, 1.5), (3.0, 3.3)]
    notes = np.array([(*times, 60.0, 80.0, 0.0) for times in real])
    take = Take(np.zeros(88_200, np.float32), notes, np.array([[1.0, 0.0, 90.0]]))
    options = choose([(take, draw_outputs(real, sham, height, low))], RATE_HZ, lambda _: None)
    assert low < options.onset <= height
    assert low < options.drum_onset[0] <= height
    assert options.drum_onset[1] == min(options.drum_onset[1:])  # nothing to choose by


def test_exports_halves_with_thresholds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(_: Path, count: int) -> Iterator[Take]:
        random = np.random.default_rng(0)
        for _number in range(count):
            samples = random.normal(0, 0.1, 22_050).astype(np.float32)
            yield Take(samples, np.array([[0.2, 0.8, 60, 80, 0]]), np.array([[0.5, 0, 90]]))

    monkeypatch.setattr(exporting, "draw_examples", draw)
    trained, target = tmp_path / "trained.safetensors", tmp_path / "small.safetensors"
    torch.manual_seed(0)
    network = NoteNet(SMALL).eval()
    save_network(network, trained, {"steps": "7"})
    exporting.export(trained, target, tmp_path, lambda _: None, examples=2)
    assert target.stat().st_size < 0.7 * trained.stat().st_size
    samples = torch.randn(1, 22_050) * 0.1
    with torch.inference_mode():
        onset = load_network(target, NoteNet)(samples).onset
        torch.testing.assert_close(onset, network(samples).onset, atol=0.05, rtol=0.05)
    options = load_tagger(target, TIMBRE).options
    assert options != DecodingOptions()
    assert len(options.drum_onset) == len(DRUMS)
    assert load_tagger(trained, TIMBRE).options == DecodingOptions()


def test_hears_only_what_begins_within() -> None:
    notes = np.array([[-0.1, 0.4, 60, 80, 0], [0.2, 0.4, 62, 80, 0], [0.3, 0.4, 10, 80, 0]])
    take = Take(np.zeros(22_050, np.float32), notes, np.zeros((0, 3)))
    ((heard, outputs),) = hear(NoteNet(SMALL).eval(), [take])
    assert heard.notes[:, 2].tolist() == [62]
    assert outputs.onset.shape == (51, PITCHES)
