"""Recordings that costs are chosen on: which ones, and what the network is shown of them."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.audio.waveform import Waveform
from inference_service.tagger.singing.features import COLUMNS, HOP_S
from model_zoo.training.evaluate.convert import to_notes
from model_zoo.training.evaluate.metrics import Tags
from model_zoo.training.evaluate.sets import Clip
from model_zoo.training.singing.recordings import hear, take_first_half
from tests.factories import build_scale, sing


def clip_of(name: str, waveform: Waveform, labels: Tags) -> Clip:
    return Clip(name, lambda: waveform, labels)


def test_costs_are_chosen_on_the_first_half_by_name() -> None:
    blank = Waveform(np.zeros((1, 1), np.float32), 22_050)
    clips = [clip_of(name, blank, Tags(None)) for name in ("d", "b", "e", "a", "c")]
    assert [clip.name for clip in take_first_half(clips)] == ["a", "b"]


def test_a_singer_is_heard_at_the_pitch_that_is_labelled() -> None:
    scale = build_scale()
    (melody,) = hear([clip_of("scale", sing(scale), Tags(to_notes(scale)))])
    assert (
        melody.spectrogram.shape[1]
        == COLUMNS * len(melody.pitch)
        == COLUMNS * len(melody.contour[0])
    )
    for onset_s, offset_s, pitch, _ in melody.notes:
        own = slice(round(onset_s / HOP_S), round(offset_s / HOP_S))
        assert np.median(melody.pitch[own]) == pytest.approx(pitch, abs=0.3)


def test_labels_without_notes_are_refused() -> None:
    with pytest.raises(ValueError, match="contain no notes"):
        hear([clip_of("drums", sing(build_scale()), Tags(None, np.zeros((0, 2))))])
