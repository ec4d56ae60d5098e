"""Excerpts of the prepared melodies, augmented at random.

The spectrogram is equalised, made louder or softer, and given a noise floor; the pitch that the
network reads is shifted by up to half an octave, so that it learns nothing of particular pitches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from swift_f0 import PitchResult
from torch import Tensor

from inference_service.tagger.singing.features import (
    COLUMNS,
    HOP_S,
    SPECTROGRAM,
    describe_contour,
    pitches,
)
from model_zoo.training.augmentation import colour

EXCERPT_FRAMES: Final = 750
MAX_BEND: Final = 1.5
"""Semitones; a frame further from its note is an error of the contour, or a consonant."""

MIN_CONFIDENCE: Final = 0.3
REGISTER: Final = 0.5
"""Greatest shift of the pitch that the network reads, in octaves."""

PITCH_ROW: Final = 1
CONFIDENCE_ROW: Final = 0


@dataclass(frozen=True, slots=True)
class Melody:
    """A prepared melody: the network's inputs, and the notes.

    Attributes
    ----------
    kind : str
    spectrogram : np.ndarray, shape (F, COLUMNS * T), float16
    contour : np.ndarray, shape (R, T), float32
    pitch, confidence : np.ndarray, shape (T,), float64
        Those of the contour; pitches are fractional MIDI numbers.
    notes : np.ndarray, shape (N, 4)
        Onset and offset in seconds, pitch with fractions, velocity.
    """

    kind: str
    spectrogram: NDArray[np.float16]
    contour: NDArray[np.float32]
    pitch: NDArray[np.float64]
    confidence: NDArray[np.float64]
    notes: NDArray[np.float64]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.pitch) * HOP_S


@dataclass(frozen=True, slots=True)
class Batch:
    """Excerpts and their targets.

    Attributes
    ----------
    spectrogram : Tensor, shape (B, F, COLUMNS * T)
    contour : Tensor, shape (B, R, T)
    onset : Tensor, shape (B, T)
        1 for each onset, shared between the two nearest frames in proportion to nearness.
    sounding : Tensor, shape (B, T)
    bend : Tensor, shape (B, T)
        Semitones from the contour to the note, where ``bent`` is 1.
    bent : Tensor, shape (B, T)
    """

    spectrogram: Tensor
    contour: Tensor
    onset: Tensor
    sounding: Tensor
    bend: Tensor
    bent: Tensor


def load_melodies(folder: Path) -> list[Melody]:
    """Read all melodies that :mod:`.prepare` wrote into a folder.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    melodies = [load_melody(path) for path in sorted(folder.glob("*.npz"))]
    if not melodies:
        raise FileNotFoundError(f"nothing prepared in {folder}")
    return melodies


def load_melody(path: Path) -> Melody:
    """Read one file."""
    with np.load(path) as kept:
        times_s = np.arange(len(kept["pitch_hz"])) * HOP_S
        contour = PitchResult(times_s, kept["pitch_hz"], kept["confidence"], kept["loudness_db"])
        return Melody(
            kind=str(kept["kind"]),
            spectrogram=kept["spectrogram"],
            contour=describe_contour(contour),
            pitch=pitches(contour),
            confidence=contour.confidence,
            notes=kept["notes"],
        )


def draw_batch(melodies: Sequence[Melody], size: int, random: Generator) -> Batch:
    """Draw augmented excerpts, of different melodies if there are enough."""
    chosen = random.choice(len(melodies), size, replace=len(melodies) < size)
    excerpts = [_excerpt(melodies[int(index)], random) for index in chosen]
    return Batch(*(torch.from_numpy(np.stack(parts)) for parts in zip(*excerpts, strict=True)))


def draw_targets(
    melody: Melody, start: int, frames: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the targets of :class:`Batch` for the frames from ``start`` on."""
    onset, sounding, bend, bent = np.zeros((4, frames), np.float32)
    begins = melody.notes[:, 0] / HOP_S - start
    ends = melody.notes[:, 1] / HOP_S - start
    stop = min(frames, len(melody.pitch) - start)
    for begin, end, pitch in zip(begins, ends, melody.notes[:, 2], strict=True):
        place = int(np.floor(begin))
        for frame, share in ((place, 1 - (begin - place)), (place + 1, begin - place)):
            if 0 <= frame < frames:
                onset[frame] = min(onset[frame] + share, 1.0)
        own = slice(max(int(np.ceil(begin)), 0), max(min(int(np.ceil(end)), stop), 0))
        sounding[own] = 1.0
        heard = slice(own.start + start, own.stop + start)
        bend[own] = pitch - melody.pitch[heard]
        bent[own] = (np.abs(bend[own]) < MAX_BEND) & (melody.confidence[heard] > MIN_CONFIDENCE)
    return onset, sounding, bend, bent


def _excerpt(melody: Melody, random: Generator) -> tuple[NDArray[np.float32], ...]:
    total = len(melody.pitch)
    start = int(random.integers(0, max(total - EXCERPT_FRAMES, 0) + 1))
    held = min(total - start, EXCERPT_FRAMES)
    spectrogram = np.zeros((SPECTROGRAM.bins, COLUMNS * EXCERPT_FRAMES), np.float32)
    columns = slice(COLUMNS * start, COLUMNS * (start + held))
    spectrogram[:, : COLUMNS * held] = _augment(melody.spectrogram[:, columns], random)
    contour = np.zeros((len(melody.contour), EXCERPT_FRAMES), np.float32)
    contour[:, :held] = melody.contour[:, start : start + held]
    contour[PITCH_ROW] += contour[CONFIDENCE_ROW] * random.uniform(-REGISTER, REGISTER)
    return spectrogram, contour, *draw_targets(melody, start, EXCERPT_FRAMES)


def _augment(logs: NDArray[np.float16], random: Generator) -> NDArray[np.float32]:
    augmented = colour(logs, random, curve_db=6.0, level_db=5.0)
    if random.random() < 0.2:
        width = int(random.integers(3, 12))
        first = int(random.integers(0, len(logs) - width))
        augmented[first : first + width] = 0.0
    return augmented
