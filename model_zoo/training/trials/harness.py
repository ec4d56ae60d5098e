"""Trains small note networks under equal conditions, and measures them on rendered and real music.

Spectra of all examples are computed once and stored in the folder; a step draws :data:`BATCH`
excerpts of :data:`CROP_FRAMES` from them. Everything but what a trial compares is the same:
examples, their order, the number of steps, learning rate, decoding. The onset threshold is chosen
on a third of the rendered development examples; figures are for the others and for real recordings.

A trial takes a fixed number of steps and keeps the last network, so it does not use ``learn`` of
:mod:`model_zoo.training.loop`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from inference_service.audio.waveform import Samples
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.decoding import DecodingOptions, Outputs, decode_notes
from inference_service.tagger.notes.network import DRUMS, PITCHES
from inference_service.tagger.notes.tagger import set_level
from model_zoo.training.loop import descend
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.dev import begin_within
from model_zoo.training.tagger.losses import ONSET_WEIGHT
from model_zoo.training.tagger.take import Take
from model_zoo.training.tagger.targets import draw_targets, within_range
from model_zoo.training.trials.clips import EVERY, Clip, excerpt, f1, load_clips
from model_zoo.training.trials.network import Context, TrialNet
from model_zoo.training.trials.report import Figures
from model_zoo.training.trials.spectra import HOP_S, align, build
from model_zoo.training.trials.spectra import Kind as SpectrogramKind

TRAIN: Final = 240
"""Number of training examples, limited by the cost of the slower spectrograms."""

CHOOSE: Final = 20
EXCERPT_S: Final = 8.0
BATCH: Final = 4
CROP_FRAMES: Final = 120
RATE: Final = 4e-3
WARM_UP: Final = 30
WEIGHT_DECAY: Final = 0.01
FRAME_WEIGHT: Final = 0.5
THRESHOLDS: Final = tuple(np.arange(0.1, 0.66, 0.05).round(2).tolist())
FRAME_RATE_HZ: Final = RATE_HZ / round(HOP_S * RATE_HZ)

Spectra = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Examples:
    """Training examples: spectra ``(N, 309, T)`` and targets ``(N, T, 88)``, float16."""

    spectra: Spectra
    onset: Spectra
    frame: Spectra


@dataclass(frozen=True, slots=True)
class Exam:
    """Evaluation data: clips of a kind, and their spectra ``(309, T)``."""

    clips: Sequence[Clip]
    spectra: Sequence[Spectra]


def see(
    kind: SpectrogramKind, sounds: Sequence[Samples], kept: Path | None = None
) -> list[Spectra]:
    """Return aligned spectra ``(309, T)`` of sounds, stored in a file if one is named."""
    if kept is not None and kept.exists():
        with np.load(kept) as file:
            return [file[str(number)] for number in range(len(sounds))]
    spectrogram, weights = build(kind), torch.from_numpy(align(kind))
    spectra = []
    for samples in sounds:
        with torch.inference_mode():
            spectrum = weights @ spectrogram(torch.from_numpy(samples)[None])[0]
        spectra.append(spectrum.numpy().astype(np.float16))
    if kept is not None:
        partial = kept.with_suffix(".partial.npz")
        np.savez(partial, **{str(number): spectrum for number, spectrum in enumerate(spectra)})
        partial.rename(kept)
    return spectra


def prepare_examples(takes: Sequence[Take], spectra: Sequence[Spectra]) -> Examples:
    """Return training examples from takes and their spectra."""
    onsets, frames = [], []
    for take, spectrum in zip(takes, spectra, strict=True):
        targets = draw_targets([take], spectrum.shape[1], FRAME_RATE_HZ)
        onsets.append(targets.onset[0].numpy().astype(np.float16))
        frames.append(targets.frame[0].numpy().astype(np.float16))
    return Examples(np.stack(spectra), np.stack(onsets), np.stack(frames))


def list_exams(dev: Sequence[Take], data: Path) -> dict[str, list[Clip]]:
    """Return the clips to measure on: rendered ones, and excerpts of the real ones in ``data``."""
    exams = {"rendered": [_to_clip(take) for take in dev]}
    for kind in EVERY:
        if (data / f"{kind}_dev").is_dir():
            clips = [excerpt(clip, EXCERPT_S) for clip in load_clips(data, kind)]
            exams[kind] = [
                Clip(c.kind, c.name, set_level(c.samples, RATE_HZ), c.notes) for c in clips
            ]
    return exams


def prepare_exams(
    kind: SpectrogramKind, exams: dict[str, list[Clip]], folder: Path
) -> dict[str, Exam]:
    """Compute the exams' spectra, or read stored ones."""
    return {
        name: Exam(clips, see(kind, [c.samples for c in clips], folder / f"{kind}-{name}.npz"))
        for name, clips in exams.items()
    }


def _to_clip(take: Take) -> Clip:
    notes = begin_within(within_range(take.notes), take.duration_s)[:, :3].copy()
    notes[:, 2] = np.rint(notes[:, 2])  # the small networks predict whole semitones
    return Clip("rendered", "", take.samples, notes)


def train(
    examples: Examples, context: Context, steps: int, seed: int, say: Callable[[str], None]
) -> tuple[TrialNet, Figures]:
    """Train a network; return it, with its final loss and the CPU seconds per step."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = TrialNet(context)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    course: list[float] = []
    began = time.process_time()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min((step + 1) / WARM_UP, max(1.0 - step / steps, 0.02))
        loss = compute_loss(network, *draw_batch(examples, random))
        descend(optimiser, loss)
        course.append(loss.item())
        if (step + 1) % 100 == 0:
            say(f"  step {step + 1}: loss {np.mean(course[-50:]):.3f}")
    spent_s = time.process_time() - began
    last = float(np.mean(course[-50:]))
    return network.eval(), {"loss": last, "step_s": spent_s / max(steps, 1), "steps": float(steps)}


def draw_batch(examples: Examples, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Draw excerpts of examples: spectra, onsets and frames."""
    count, _, frames = examples.spectra.shape
    length = min(CROP_FRAMES, frames)
    spectra, onsets, sounding = [], [], []
    for _ in range(BATCH):
        example, first = int(random.integers(count)), int(random.integers(frames - length + 1))
        spectra.append(examples.spectra[example, :, first : first + length])
        onsets.append(examples.onset[example, first : first + length])
        sounding.append(examples.frame[example, first : first + length])
    batch = [torch.from_numpy(np.stack(part)).float() for part in (spectra, onsets, sounding)]
    return batch[0], batch[1], batch[2]


def compute_loss(network: nn.Module, spectra: Tensor, onset: Tensor, frame: Tensor) -> Tensor:
    """Return the weighted cross-entropy of onsets and frames, with the note tagger's weights."""
    told_onset, told_frame = network(spectra)
    weight = 1.0 + (ONSET_WEIGHT - 1.0) * onset
    count = onset.shape[0] * onset.shape[1]
    loss = F.binary_cross_entropy_with_logits(told_onset, onset, weight, reduction="sum")
    sounding = F.binary_cross_entropy_with_logits(told_frame, frame, reduction="sum")
    return (loss + FRAME_WEIGHT * sounding) / count


def measure(network: TrialNet, exams: dict[str, Exam]) -> Figures:
    """Return the mean F1 on each exam, without and with offsets.

    The onset threshold is chosen on a third of the rendered exam, which the figures leave out.
    """
    heard = {
        name: [hear(network, spectrum) for spectrum in exam.spectra] for name, exam in exams.items()
    }
    choice = list(zip(exams["rendered"].clips, heard["rendered"], strict=True))[:CHOOSE]
    options = DecodingOptions()

    def score(clips: Sequence[tuple[Clip, Outputs]], onset: float, ratio: float | None) -> float:
        chosen = DecodingOptions(onset=onset, frame=options.frame)
        decoded = [decode_notes(outputs, FRAME_RATE_HZ, chosen) for _, outputs in clips]
        notes = [[note for family in own.values() for note in family] for own in decoded]
        scores = [f1(clip, own, ratio) for (clip, _), own in zip(clips, notes, strict=True)]
        return float(np.mean(scores))

    onset = max(THRESHOLDS, key=lambda value: score(choice, value, None))
    figures: Figures = {"threshold": onset}
    for name, exam in exams.items():
        clips = list(zip(exam.clips, heard[name], strict=True))
        clips = clips[CHOOSE:] if name == "rendered" else clips
        figures[name] = score(clips, onset, None)
        figures[f"{name} offsets"] = score(clips, onset, 0.2)
    return figures


def hear(network: TrialNet, spectrum: Spectra) -> Outputs:
    """Return a network's outputs for a spectrum, in the form that the decoder takes."""
    with torch.inference_mode():
        onset, frame = network(torch.from_numpy(spectrum).float()[None])
    frames = onset.shape[1]
    silent = np.zeros((frames, PITCHES), np.float32)
    drums = np.zeros((frames, len(DRUMS)), np.float32)
    family = np.zeros((frames, PITCHES, len(FAMILIES)), np.float32)
    activations = [torch.sigmoid(values[0]).numpy() for values in (onset, frame)]
    return Outputs(
        activations[0], silent, activations[1], silent + 0.5, silent, family, drums, drums
    )


def summarise(runs: Sequence[Figures], name: str) -> str:
    """Return the mean of a figure over runs, and half its range if there are several."""
    values = [run[name] for run in runs if name in run]
    if not values:
        return ""
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) < 2 else f"{mean} ± {(max(values) - min(values)) / 2:.3f}"
