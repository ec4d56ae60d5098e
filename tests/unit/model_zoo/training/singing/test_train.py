"""Excerpts of small melodies, their targets, and very short runs of the training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.checkpoint import load_network, read_metadata
from inference_service.tagger.singing.decoding import DecodingOptions, Outputs
from inference_service.tagger.singing.features import (
    COLUMNS,
    CONTOUR_ROWS,
    HOP_S,
    SPECTROGRAM,
)
from inference_service.tagger.singing.network import (
    Logits,
    SingingNet,
    SingingNetConfig,
)
from inference_service.tagger.singing.tagger import DECODING_KEY, load_tagger
from model_zoo.training.singing.dataset import (
    CONFIDENCE_ROW,
    EXCERPT_FRAMES,
    MAX_BEND,
    Melody,
    draw_batch,
    draw_targets,
    load_melodies,
)
from model_zoo.training.singing.dev import measure, predict
from model_zoo.training.singing.export import choose, export
from model_zoo.training.singing.train import OPTIONS, losses, train

SMALL = SingingNetConfig(channels=8, doublings=3)
NOTE_S = 0.4


@pytest.fixture(autouse=True)
def use_one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_melody(path: Path, *, seconds: float, sung: bool = True) -> None:
    """Notes of :data:`NOTE_S` with gaps of half of it, as :mod:`prepare` keeps them."""
    frames = round(seconds / HOP_S)
    onsets_s = np.arange(0.2, seconds - 1.0, 1.5 * NOTE_S) if sung else np.zeros(0)
    pitches = 60.0 + np.arange(len(onsets_s)) % 5
    notes = np.column_stack([onsets_s, onsets_s + NOTE_S, pitches, np.full(len(onsets_s), 80.0)])
    spectrogram = np.zeros((SPECTROGRAM.bins, COLUMNS * frames), np.float16)
    confidence, pitch = np.zeros(frames), np.full(frames, 60.0)
    for onset_s, offset_s, note, _ in notes:
        own = slice(round(onset_s / HOP_S), round(offset_s / HOP_S))
        confidence[own], pitch[own] = 0.9, note - 0.3
        spectrogram[:, COLUMNS * own.start : COLUMNS * own.stop] = 4.0
    path.parent.mkdir(exist_ok=True)
    np.savez(
        path,
        spectrogram=spectrogram,
        pitch_hz=440 * 2 ** ((pitch - 69) / 12),
        confidence=confidence,
        loudness_db=np.where(confidence > 0, -20.0, -70.0),
        notes=notes,
        duration_s=seconds,
        kind="alone" if sung else "nobody",
    )


@pytest.fixture(name="cache")
def build_cache(tmp_path: Path) -> Path:
    write_melody(tmp_path / "train" / "long.npz", seconds=20.0)
    write_melody(tmp_path / "train" / "short.npz", seconds=6.0)
    write_melody(tmp_path / "train" / "nobody.npz", seconds=6.0, sung=False)
    write_melody(tmp_path / "dev" / "sung.npz", seconds=8.0)
    write_melody(tmp_path / "dev" / "nobody.npz", seconds=6.0, sung=False)
    return tmp_path


def melody_of(*notes: tuple[float, float, float], pitch: float = 60.0, frames: int = 100) -> Melody:
    """Notes in frames, over a contour that stays where it is."""
    rows = np.array([(a * HOP_S, b * HOP_S, p, 80.0) for a, b, p in notes]).reshape(-1, 4)
    return Melody(
        "alone",
        np.zeros((SPECTROGRAM.bins, COLUMNS * frames), np.float16),
        np.zeros((CONTOUR_ROWS, frames), np.float32),
        np.full(frames, pitch),
        np.ones(frames),
        rows,
    )


def test_an_onset_is_shared_by_the_frames_about_it() -> None:
    onset, sounding, _, _ = draw_targets(melody_of((10.25, 20.0, 60.0)), 0, 100)
    assert np.flatnonzero(onset).tolist() == [10, 11]
    assert np.allclose(onset[10:12], [0.75, 0.25])
    assert np.flatnonzero(sounding).tolist() == list(range(11, 20))


def test_an_excerpt_begins_anywhere() -> None:
    onset, sounding, _, _ = draw_targets(melody_of((10.0, 30.0, 60.0), (40.0, 90.0, 62.0)), 20, 50)
    assert np.flatnonzero(onset).tolist() == [20]
    assert np.flatnonzero(sounding).tolist() == [*range(10), *range(20, 50)]


def test_frames_are_bent_to_their_note_unless_they_are_of_another() -> None:
    melody = melody_of((10.0, 20.0, 60.4), (30.0, 40.0, 60.0 + 2 * MAX_BEND))
    _, _, bend, bent = draw_targets(melody, 0, 100)
    assert np.allclose(bend[10:20], 0.4)
    assert np.flatnonzero(bent).tolist() == list(range(10, 20))


def test_excerpts_hold_their_notes(cache: Path) -> None:
    melodies = load_melodies(cache / "train")
    batch = draw_batch(melodies, 8, np.random.default_rng(0))
    assert batch.spectrogram.shape == (8, SPECTROGRAM.bins, COLUMNS * EXCERPT_FRAMES)
    assert batch.contour.shape == (8, CONTOUR_ROWS, EXCERPT_FRAMES)
    assert torch.isfinite(batch.spectrogram).all()
    voiced = batch.contour[:, CONFIDENCE_ROW] > 0
    assert (voiced == (batch.sounding > 0)).float().mean() > 0.97
    assert torch.allclose(batch.bend[batch.bent > 0], torch.tensor(0.3), atol=1e-3)


def test_nothing_prepared_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing prepared"):
        load_melodies(tmp_path)


def test_only_bent_frames_tell_of_pitch(cache: Path) -> None:
    batch = draw_batch(load_melodies(cache / "train"), 2, np.random.default_rng(0))
    wrong = torch.where(batch.bent > 0, batch.bend, torch.full_like(batch.bend, 9.0))
    blank = torch.zeros_like(wrong)
    assert losses(Logits(blank, blank, wrong), batch)["bend"] == 0.0
    assert losses(Logits(blank, blank, wrong + 1.0), batch)["bend"] > 0.5


def test_training_resumes_and_learns(cache: Path) -> None:
    ticking = count(step=30.0)  # so that steps, not the machine, make the minutes
    options = replace(OPTIONS, batch=2, clock=lambda: next(ticking))
    said: list[str] = []
    folder = cache / "learnt"
    begun = train(cache, folder, replace(options, minutes=1.0), said.append, SMALL)
    train(cache, folder, replace(options, minutes=80.0, learning_rate=1e-2), said.append, SMALL)
    learnt = load_network(folder / "singing.safetensors", SingingNet)
    reports = [json.loads(text) for text in said]
    steps = [report["step"] for report in reports]
    assert steps == sorted(set(steps))
    assert steps[0] > 1
    assert (folder / "log.jsonl").read_text().splitlines() == said
    dev = load_melodies(cache / "dev")

    def loss(network: torch.nn.Module) -> float:
        batch = draw_batch(dev, 4, np.random.default_rng(0))
        with torch.inference_mode():
            return float(losses(network(batch.spectrogram, batch.contour), batch)["sounding"])

    assert loss(learnt) < 0.7 * loss(begun.eval())
    assert learnt.config == SMALL


def test_exported_weights_are_half_and_know_their_costs(cache: Path) -> None:
    folder = cache / "learnt"
    train(cache, folder, replace(OPTIONS, minutes=0.0), lambda _: None, SMALL)
    said: list[str] = []
    melodies = load_melodies(cache / "dev")
    export(folder / "singing.safetensors", cache / "out.safetensors", melodies, said.append)
    kept = read_metadata(cache / "out.safetensors")
    assert set(json.loads(kept[DECODING_KEY])) == {"entry", "renewal", "sounding", "min_note_s"}
    halved = (cache / "out.safetensors").stat().st_size
    assert halved < 0.7 * (folder / "singing.safetensors").stat().st_size
    load_tagger(cache / "out.safetensors", threads=1)
    assert said


def outputs_of(melody: Melody, *, sure: float) -> Outputs:
    onset, sounding, bend, _ = draw_targets(melody, 0, len(melody.pitch))
    return Outputs(
        np.clip(onset * sure, 1e-3, 1.0).astype(float),
        (0.5 + 0.45 * (2 * sounding - 1)).astype(float),
        bend.astype(float),
    )


def test_costs_that_find_the_notes_are_chosen() -> None:
    # Onsets are doubtful, and half of the notes follow upon others.
    melody = melody_of((10, 30, 60.0), (30, 50, 60.0), (60, 80, 60.5))
    outputs = outputs_of(melody, sure=0.3)
    strict = DecodingOptions(entry=-1.0, renewal=-1.0)
    chosen = choose([melody], [outputs], lambda _: None)
    assert measure([melody], [outputs], strict)["onset"] < 1.0
    assert measure([melody], [outputs], chosen)["onset"] == 1.0
    assert measure([melody], [outputs], chosen)["offset"] == 1.0


def test_notes_in_music_without_a_singer_are_counted_separately() -> None:
    sung, nobody = melody_of((10, 30, 60.0)), melody_of()
    heard = [outputs_of(sung, sure=0.9), outputs_of(sung, sure=0.9)]
    figures = measure([sung, nobody], heard, DecodingOptions())
    assert figures["pitch"] == 1.0
    assert figures["stray_per_minute"] == pytest.approx(60 / nobody.duration_s)


def test_a_network_tells_of_whole_melodies(cache: Path) -> None:
    (melody, *_) = load_melodies(cache / "dev")
    outputs = predict(SingingNet(SMALL).eval(), melody)
    assert all(course.shape == melody.pitch.shape for course in outputs)
    assert 0 <= outputs.onset.min() <= outputs.onset.max() <= 1
