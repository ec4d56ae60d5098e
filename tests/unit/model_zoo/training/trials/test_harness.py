"""Small networks learn made examples, results are kept, and every trial is of equal size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.audio.spectrogram import Kind
from inference_service.tagger.notes.network import BINS_PER_SEMITONE, LOWEST_PITCH
from model_zoo.training.sound.damage import PROBABILITIES
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.take import Take
from model_zoo.training.trials import augmentation, harness
from model_zoo.training.trials.clips import Clip, excerpt, f1
from model_zoo.training.trials.harness import Exam, Examples
from model_zoo.training.trials.material import load_takes, save_takes
from model_zoo.training.trials.network import CONTEXTS, Context, TrialNet, count_parameters
from model_zoo.training.trials.report import Ledger, to_markdown
from model_zoo.training.trials.spectra import BINS, align, frequencies_hz


def play(seed: int, length_s: float = 1.2) -> Take:
    """Three tones, one after another."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    samples, rows = np.zeros(len(time_s), np.float32), []
    for onset_s in (0.1, 0.45, 0.8):
        pitch = float(random.integers(50, 80))
        sounding = (time_s >= onset_s) & (time_s < onset_s + 0.3)
        samples += 0.2 * sounding * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s)
        rows.append((onset_s, onset_s + 0.3, pitch, 80.0, 0.0))
    return Take(samples.astype(np.float32), np.array(rows), np.zeros((0, 3)))


@pytest.fixture(scope="module")
def takes() -> list[Take]:
    return [play(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def examples(takes: list[Take]) -> Examples:
    return harness.prepare_examples(takes, harness.see("vqt", [take.samples for take in takes]))


def test_the_loss_falls_and_the_same_seed_gives_the_same_network(examples: Examples) -> None:
    before = harness.compute_loss(
        TrialNet(), *harness.draw_batch(examples, np.random.default_rng(0))
    ).item()
    network, figures = harness.train(examples, "cnn", 6, 0, lambda text: None)
    again, _ = harness.train(examples, "cnn", 6, 0, lambda text: None)
    assert figures["loss"] < before
    for first, second in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(first, second)


def test_targets_lie_where_notes_are(takes: list[Take], examples: Examples) -> None:
    onset_s, _, pitch, *_ = takes[0].notes[0]
    frame = round(onset_s * harness.FRAME_RATE_HZ)
    assert examples.onset[0, frame, int(pitch) - LOWEST_PITCH] > 0.7
    assert examples.frame[0, frame + 2, int(pitch) - LOWEST_PITCH] == 1.0


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_context_hears_beyond_its_frame_and_keeps_the_length(context: Context) -> None:
    network = TrialNet(context).eval()
    spectra = torch.rand(1, BINS, 30)
    changed = spectra.clone()
    changed[..., 20] += 3.0
    with torch.inference_mode():
        onset, frame = network(spectra)
        other, _ = network(changed)
    assert onset.shape == frame.shape == (1, 30, 88)
    assert not torch.equal(onset[:, 14], other[:, 14])


def test_contexts_are_of_equal_size() -> None:
    sizes = [count_parameters(TrialNet(context)) for context in CONTEXTS]
    assert max(sizes) < 1.1 * min(sizes)


@pytest.mark.parametrize("kind", ["stft", "mel", "gammatone", "vqt"])
def test_spectra_are_read_at_the_same_frequencies(kind: Kind) -> None:
    weights = align(kind)
    assert weights.shape == (BINS, len(frequencies_hz(kind)))
    read_hz = weights @ frequencies_hz(kind)
    octave = slice(12 * BINS_PER_SEMITONE * 2, 12 * BINS_PER_SEMITONE * 6)  # A2 to A6
    cents = 1200 * np.log2(read_hz[octave] / frequencies_hz("vqt")[octave])
    assert np.abs(cents).max() < 40


def test_spectra_are_kept(takes: list[Take], tmp_path: Path) -> None:
    kept = tmp_path / "vqt.npz"
    first = harness.see("vqt", [takes[0].samples], kept)
    second = harness.see("vqt", [np.zeros(10, np.float32)], kept)
    np.testing.assert_array_equal(first[0], second[0])


def test_exams_are_marked_at_a_chosen_threshold(
    takes: list[Take], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "CHOOSE", 1)
    clips = [Clip("rendered", "", take.samples, take.notes[:, :3]) for take in takes[:2]]
    spectra = harness.see("vqt", [clip.samples for clip in clips])
    figures = harness.measure(TrialNet().eval(), {"rendered": Exam(clips, spectra)})
    assert figures["threshold"] in harness.THRESHOLDS
    assert figures["rendered"] == 0.0  # nothing was learnt


def test_takes_are_kept(takes: list[Take], tmp_path: Path) -> None:
    save_takes(takes, tmp_path / "takes.npz")
    for take, kept in zip(takes, load_takes(tmp_path / "takes.npz"), strict=True):
        np.testing.assert_allclose(kept.samples, take.samples, atol=1e-3)
        np.testing.assert_array_equal(kept.notes, take.notes)


def test_damage_leaves_a_quarter_clean_and_the_level_as_it_was(takes: list[Take]) -> None:
    damaged = augmentation.damage(takes * 4, without=("codec", "telephone"))
    same = [np.allclose(a.samples, b, atol=1e-5) for a, b in zip(takes * 4, damaged, strict=True)]
    assert 0 < sum(same) < 10
    for take, sound in zip(takes * 4, damaged, strict=True):
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(take.samples**2)))
    for take, sound in zip(takes, augmentation.damage(takes, tuple(PROBABILITIES)), strict=True):
        np.testing.assert_allclose(sound, take.samples, rtol=1e-5)


def test_groups_of_damage_cover_every_step_once() -> None:
    steps = [step for group in augmentation.GROUPS.values() for step in group]
    assert sorted(steps) == sorted(PROBABILITIES)


def test_excerpts_keep_their_labels_in_place() -> None:
    notes = np.array([[2.0, 2.5, 60.0], [3.0, 9.0, 62.0], [8.0, 9.0, 64.0]])
    samples = np.arange(10 * RATE_HZ, dtype=np.float32)
    cut = excerpt(Clip("piano", "", samples, notes), 2.0)
    assert cut.samples[0] == pytest.approx(1.7 * RATE_HZ, abs=1)
    np.testing.assert_allclose(cut.notes, [[0.3, 0.8, 60.0], [1.3, 2.0, 62.0]], atol=1e-4)
    assert f1(cut, cut.notes) == 1.0
    assert f1(cut, cut.notes[:1]) == pytest.approx(2 / 3)


def test_a_ledger_computes_once(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    assert Ledger(path).get("a", lambda: {"f1": 0.5}) == {"f1": 0.5}
    assert Ledger(path).get("a", lambda: {"f1": 0.9}) == {"f1": 0.5}


def test_tables_are_markdown() -> None:
    table = to_markdown(["name", "F1"], [["cqt", 0.5]])
    assert table.splitlines() == ["| name | F1 |", "| --- | --- |", "| cqt | 0.500 |"]
