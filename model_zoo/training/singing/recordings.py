"""Labelled recordings of singers, on which the decoder's costs are chosen.

A network that learnt from re-pitched speech is overconfident on real singers and cuts notes where
they slide. The costs of a note are therefore chosen on half of a set of recordings, the first by
name, which keeps takes of one singer together; figures are reported on the other half too. No
weights are learnt from these recordings.
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
    """Return the network's inputs for each clip, with its labelled notes.

    Raises
    ------
    ValueError
        If a clip's labels hold no notes.
    """
    tracker = SwiftF0Tagger()
    return [_hear(clip, tracker) for clip in clips]


def take_first_half(clips: Iterable[Clip]) -> list[Clip]:
    """Return the first half of the clips by name, on which costs may be chosen."""
    ordered = sorted(clips, key=lambda clip: clip.name)
    return ordered[: len(ordered) // 2]


def _hear(clip: Clip, tracker: SwiftF0Tagger) -> Melody:
    if clip.labels.notes is None:
        raise ValueError(f"the labels of {clip.name} contain no notes")
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
