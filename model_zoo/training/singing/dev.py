"""Figures on development melodies: F1 of onsets, with pitches, and with offsets, by mir_eval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference_service.tagger.singing.decoding import (
    DecodingOptions,
    Outputs,
    SungNote,
    decode_notes,
)
from inference_service.tagger.singing.network import SingingNet
from model_zoo.training.evaluate.metrics import (
    compare_offsets,
    compare_onsets,
    compare_pitches,
)
from model_zoo.training.singing.dataset import Melody

FIGURES: Final = ("onset", "pitch", "offset")


def predict(network: SingingNet, melody: Melody) -> Outputs:
    """Return a network's outputs for a melody."""
    device = next(network.parameters()).device
    spectrogram = torch.from_numpy(melody.spectrogram.astype(np.float32))[None].to(device)
    with torch.inference_mode():
        logits = network(spectrogram, torch.from_numpy(melody.contour)[None].to(device))
    onset, sounding = (torch.sigmoid(x[0]).double() for x in (logits.onset, logits.sounding))
    return Outputs(
        onset.cpu().numpy(), sounding.cpu().numpy(), logits.bend[0].double().cpu().numpy()
    )


def measure(
    melodies: Sequence[Melody], heard: Sequence[Outputs], options: DecodingOptions
) -> dict[str, float]:
    """Return the mean F1 over melodies with singing, by the names in :data:`FIGURES`.

    For melodies without singing: ``stray_per_minute``, the notes found per minute.
    """
    rows: list[list[float]] = []
    found, listened_s = 0, 0.0
    for melody, outputs in zip(melodies, heard, strict=True):
        notes = to_rows(decode_notes(outputs, melody.pitch, melody.confidence, options))
        if not len(melody.notes):
            found, listened_s = found + len(notes), listened_s + melody.duration_s
            continue
        metrics = (compare_onsets, compare_pitches, compare_offsets)
        rows.append([compare(melody.notes[:, :3], notes).f1 for compare in metrics])
    means = np.mean(rows, axis=0) if rows else np.full(len(FIGURES), np.nan)
    figures = dict(zip(FIGURES, means.tolist(), strict=True))
    if listened_s:
        figures["stray_per_minute"] = found / listened_s * 60
    return figures


def to_rows(notes: Sequence[SungNote]) -> NDArray[np.float64]:
    """Return notes as rows of onset, offset and pitch."""
    return np.array(notes, float).reshape(-1, len(SungNote._fields))
