"""Recordings of singers with labels, as melodies to choose notes' costs on.

Networks that learnt from re-pitched speech are too sure of themselves when they hear people: where
a singer slides, they cut. What a note must be worth is therefore chosen on half of a set of
recordings, the first by name, which keeps takes of one singer together; figures are stated on the
other half. Weights learn from none.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Waveform
from inference_service.progress import ignore
from inference_service.tagger.singing.features import (
    RATE_HZ,
    compute_spectrogram,
    describe_contour,
    gain_db,
    pitches,
)
from inference_service.tagger.swift_f0 import SwiftF0Tagger
from model_zoo.training.evaluate.sets import Clip
from model_zoo.training.singing.dataset import Melody


def hear(clips: Iterable[Clip]) -> list[Melody]:
    """Return what the network is shown of each clip, and the notes that are in it.

    Raises
    ------
    ValueError
        If a clip's labels do not tell of notes.
    """
    tracker = SwiftF0Tagger()
    return [_hear(clip, tracker) for clip in clips]


def take_first_half(clips: Iterable[Clip]) -> list[Clip]:
    """Return those that costs may be chosen on."""
    ordered = sorted(clips, key=lambda clip: clip.name)
    return ordered[: len(ordered) // 2]


def _hear(clip: Clip, tracker: SwiftF0Tagger) -> Melody:
    if clip.labels.notes is None:
        raise ValueError(f"the labels of {clip.name} do not tell of notes")
    waveform = clip.load()
    samples = resample(waveform.mono()[None], waveform.sample_rate_hz, RATE_HZ)[0]
    contour = tracker.track(Waveform(samples[None], RATE_HZ), ignore)
    spectrogram = compute_spectrogram(samples, gain_db(contour), len(contour.timestamps))
    return Melody(
        kind="recording",
        spectrogram=spectrogram.astype(np.float16),
        contour=describe_contour(contour),
        pitch=pitches(contour),
        confidence=contour.confidence,
        notes=clip.labels.notes[:, :4],
    )
