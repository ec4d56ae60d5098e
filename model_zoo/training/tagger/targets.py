"""Targets of the note tagger, for each frame and pitch.

An onset at time ``t`` is a triangle that reaches :data:`TRIANGLE_FRAMES` to either side (Kong and
others, "High-resolution piano transcription with pedals by regressing onset and offset times",
IEEE TASLP 2021), so that the values of two neighbouring frames give the time between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.network import DRUMS, LOWEST_PITCH, PITCHES
from model_zoo.training.tagger.take import (
    FAMILY,
    KEY,
    OFFSET,
    ONSET,
    PITCH,
    STRENGTH,
    VELOCITY,
    Labels,
    Take,
)

TRIANGLE_FRAMES: Final = 2.0


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets for :class:`inference_service.tagger.notes.network.Logits`, and where they hold.

    Attributes
    ----------
    onset, offset, frame, velocity, bend : torch.Tensor, shape (B, T, 88)
        In [0, 1], but ``bend``. ``velocity`` is known where ``struck``, ``bend`` where ``frame``.
    family : torch.Tensor, shape (B, T, 88, len(FAMILIES))
        Known where ``frame``.
    struck : torch.Tensor of bool, shape (B, T, 88)
    drum_onset, drum_velocity : torch.Tensor, shape (B, T, len(DRUMS))
    drum_struck : torch.Tensor of bool, the same shape
    """

    onset: Tensor
    offset: Tensor
    frame: Tensor
    velocity: Tensor
    bend: Tensor
    family: Tensor
    struck: Tensor
    drum_onset: Tensor
    drum_velocity: Tensor
    drum_struck: Tensor

    def to(self, device: str) -> Targets:
        """Return the targets on a device."""
        return Targets(*(getattr(self, field.name).to(device) for field in fields(self)))


def draw_targets(takes: Sequence[Take], frames: int, frame_rate_hz: float) -> Targets:
    """Return the targets of takes of equal length."""
    shape = (len(takes), frames, PITCHES)
    onset, offset, frame, velocity, bend = np.zeros((5, *shape), np.float32)
    family = np.zeros((*shape, len(FAMILIES)), np.float32)
    struck = np.zeros(shape, bool)
    drum_onset, drum_velocity = np.zeros((2, len(takes), frames, len(DRUMS)), np.float32)
    drum_struck = np.zeros(drum_onset.shape, bool)
    for row, take in enumerate(takes):
        for note in within_range(take.notes):
            pitch = round(note[PITCH]) - LOWEST_PITCH
            begin, end = note[ONSET] * frame_rate_hz, note[OFFSET] * frame_rate_hz
            _draw_triangle(onset[row, :, pitch], begin)
            _draw_triangle(offset[row, :, pitch], end)
            first = min(max(round(begin), 0), frames)
            last = min(max(round(end), first + 1), frames)
            sounding = slice(first, last)
            frame[row, sounding, pitch] = 1.0
            bend[row, sounding, pitch] = note[PITCH] - round(note[PITCH])
            family[row, sounding, pitch, int(note[FAMILY])] = 1.0
            if begin > -1:
                hit = slice(max(first - 1, 0), first + 2)
                struck[row, hit, pitch] = True
                velocity[row, hit, pitch] = note[VELOCITY] / 127
        for hit_ in take.drums:
            begin, kind = hit_[ONSET] * frame_rate_hz, int(hit_[KEY])
            _draw_triangle(drum_onset[row, :, kind], begin)
            first = round(begin)
            around = slice(max(first - 1, 0), max(first + 2, 0))
            drum_struck[row, around, kind] = True
            drum_velocity[row, around, kind] = hit_[STRENGTH] / 127
    arrays = (onset, offset, frame, velocity, bend, family, struck)
    drums = (drum_onset, drum_velocity, drum_struck)
    return Targets(*(torch.from_numpy(array) for array in (*arrays, *drums)))


def within_range(notes: Labels) -> Labels:
    """Return the notes within the piano's range."""
    pitch = np.round(notes[:, PITCH])
    return notes[(pitch >= LOWEST_PITCH) & (pitch < LOWEST_PITCH + PITCHES)]


def _draw_triangle(course: NDArray[np.float32], centre: float) -> None:
    first = max(int(np.ceil(centre - TRIANGLE_FRAMES)), 0)
    last = min(int(np.floor(centre + TRIANGLE_FRAMES)) + 1, len(course))
    if first < last:
        height = 1.0 - np.abs(np.arange(first, last) - centre) / TRIANGLE_FRAMES
        course[first:last] = np.maximum(course[first:last], height)
