"""Training end to end, on sines in place of rendered music: it learns, stops and resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import Generator

from inference_service.checkpoint import load_network
from inference_service.tagger.notes.network import NoteNet, NoteNetConfig
from model_zoo.training.tagger import dataset, train
from model_zoo.training.tagger.dataset import ExampleOptions, make_example, make_examples
from model_zoo.training.tagger.take import Take

RATE_HZ = 22_050
SMALL = NoteNetConfig(
    front_end_channels=4, channels=8, width=16, layers=1, heads=2, reach=3, before=(1,), after=(1,)
)
EXAMPLES = ExampleOptions(length_s=1.0, damage=False)


def play(random: Generator, length_s: float = 3.0) -> Take:
    """A tone every half second."""
    time_s = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    samples = np.zeros(len(time_s), np.float32)
    rows = []
    for onset_s in np.arange(0.25, length_s, 0.5):
        pitch = float(random.integers(50, 80))
        sounding = (time_s >= onset_s) & (time_s < onset_s + 0.4)
        samples += 0.2 * sounding * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s)
        rows.append((onset_s, onset_s + 0.4, pitch, 80.0, 0.0))
    return Take(samples, np.array(rows), np.zeros((0, 3)))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tones instead of corpora and soundfonts."""

    def iterate(_: Path, seed: int, __: int, options: ExampleOptions) -> Iterator[Take]:
        random = np.random.default_rng(seed)
        while True:
            yield make_example(play(random), random, options)

    def dev(_: Path, options: ExampleOptions) -> list[Take]:
        return list(islice(iterate(Path(), 99, 1, options), 2))

    monkeypatch.setattr(train, "iterate_examples", iterate)
    monkeypatch.setattr(train, "make_dev_examples", dev)


@pytest.mark.usefixtures("stand_in")
def test_trains_and_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    ticking = count(step=30.0)  # so that steps, not the machine, make the minutes

    def run(minutes: float) -> list[dict[str, Any]]:
        options = replace(train.OPTIONS, minutes=minutes, batch=2, clock=lambda: next(ticking))
        train.train(Path(), tmp_path, options, lambda _: None, SMALL, examples=EXAMPLES)
        return [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]

    first = run(2.0)[-1]
    later = run(6.0)[-1]
    assert later["step"] > first["step"] > 0
    assert later["loss"]["onset"] < first["loss"]["onset"]
    assert {"note", "note_offset", "family", "drum"} <= set(later["dev"])
    assert load_network(tmp_path / "tagger.safetensors", NoteNet).config == SMALL


def test_begins_from_exported_weights_alone(tmp_path: Path, stand_in: None) -> None:
    options = replace(train.OPTIONS, minutes=0.0)
    train.train(Path(), tmp_path, options, lambda _: None, SMALL, examples=EXAMPLES)
    kept = load_network(tmp_path / "tagger.safetensors", NoteNet).state_dict()
    (tmp_path / "checkpoint.safetensors").unlink()
    other = replace(options, seed=1)
    begun = train.train(Path(), tmp_path, other, lambda _: None, SMALL, examples=EXAMPLES)
    assert all(torch.equal(kept[name], value) for name, value in begun.state_dict().items())


def test_examples_are_the_same_for_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "render_take", lambda _, random, __: play(random))

    def draw(seed: int) -> list[Take]:
        random = np.random.default_rng(seed)
        options = ExampleOptions(length_s=1.0)
        return list(islice(make_examples(None, random, options), 6))  # type: ignore[arg-type]

    first, again, other = draw(0), draw(0), draw(1)
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a.notes, b.notes) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.samples, b.samples) for a, b in zip(first, other, strict=True))


def test_detuning_moves_sound_and_labels_alike() -> None:
    take = dataset._detune(play(np.random.default_rng(0)), 40.0)
    onset_s, offset_s, pitch = take.notes[0, :3]
    piece = take.samples[round((onset_s + 0.05) * RATE_HZ) : round((offset_s - 0.05) * RATE_HZ)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 2**19))
    heard_hz = spectrum.argmax() * RATE_HZ / 2**19
    assert 69 + 12 * np.log2(heard_hz / 440) == pytest.approx(pitch, abs=0.02)
    assert pitch % 1 == pytest.approx(0.4)
