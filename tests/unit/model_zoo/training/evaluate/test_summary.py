"""Aggregation of clips into means, sums and intervals."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.training.evaluate.metrics import DRUM_CLASSES, UNKNOWN, Tags
from model_zoo.training.evaluate.summary import bootstrap, compare, f1_of, summarise
from model_zoo.training.evaluate.targets import judge
from tests.unit.model_zoo.training.evaluate.tags import notes_of

LABELS = Tags(
    np.array([[0, 0.5, 60, 80, 0], [1, 1.5, 62, 70, 0], [2, 2.5, 64, 60, 3]], float),
    np.array([[0.0, 0], [0.5, 1], [1.0, 0], [1.5, 1]]),
)
NONE = np.zeros((0, 5))


def test_only_what_both_sides_have_is_compared() -> None:
    everything = compare(LABELS, LABELS)
    assert set(everything.accuracies) == {"onset", "pitch", "offset", "velocity"}
    notes = notes_of(LABELS).copy()
    notes[:, 3], notes[:, 4] = np.nan, UNKNOWN
    plain = compare(LABELS, Tags(notes))
    assert set(plain.accuracies) == {"onset", "pitch", "offset"}
    assert plain.confusion is None
    assert plain.drums is None
    assert compare(Tags(None, LABELS.strokes), LABELS).accuracies == {}


def test_f1_of_notes_is_a_mean_over_clips() -> None:
    half = Tags(notes_of(LABELS)[:1])
    clips = {
        "a": compare(LABELS, LABELS),
        "b": compare(LABELS, half),
        "c": compare(LABELS, Tags(NONE)),
    }
    figures = summarise(clips).figures
    assert figures["pitch"].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert figures["recall"].value == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert figures["pitch"].low < figures["pitch"].value < figures["pitch"].high


def test_families_and_drums_are_of_all_clips_together() -> None:
    wrong = notes_of(LABELS).copy()
    wrong[0, 4] = 3
    drums = np.array([[0.0, 0], [1.0, 0], [1.5, 2]])
    estimated = Tags(wrong, drums)
    summary = summarise({"a": compare(LABELS, estimated), "b": compare(LABELS, LABELS)})
    assert summary.figures["family"].value == pytest.approx(5 / 6)
    counts = summary.total("drums")
    assert counts is not None
    assert counts[: len(DRUM_CLASSES)].tolist() == [
        [4, 4, 4], [2, 2, 4], [0, 1, 0], [0, 0, 0], [0, 0, 0],
    ]  # fmt: skip
    assert summary.figures["drums"].value == pytest.approx(2 * 6 / (7 + 8))
    assert summary.figures["drum_mean"].value == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_equal_clips_have_an_interval_of_zero_width() -> None:
    figure = bootstrap([[0.7]] * 9, lambda rows: rows[..., 0].mean(axis=1))
    assert figure == pytest.approx((0.7, 0.7, 0.7))


def test_f1_of_no_counts_is_zero() -> None:
    assert f1_of(np.array([[0, 0, 0], [3, 4, 5]])).tolist() == [0.0, pytest.approx(6 / 9)]


def test_targets_are_fixed_or_above_a_peer() -> None:
    right = summarise({"a": compare(LABELS, LABELS)})
    poor = summarise({"a": compare(LABELS, Tags(notes_of(LABELS)[:1]))})
    pitch, family = judge("rendered", {"notabot-notes": right, "basic-pitch": poor})
    assert (pitch.measured, pitch.bound) == (1.0, pytest.approx(0.65))
    assert pitch.met
    assert family.met
    assert not judge("rendered", {"notabot-notes": poor, "basic-pitch": right})[0].met
    assert [verdict.what for verdict in judge("rendered", {"notabot-notes": right})] == ["family"]
    assert judge("folder:somewhere", {"notabot-notes": right}) == []
