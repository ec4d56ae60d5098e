"""The search for the likeliest chords."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from inference_service.harmony.chord_decoding import CHANGE_COST, find_path
from inference_service.harmony.chord_network import CLASSES
from inference_service.harmony.chord_vocabulary import Likelihoods, build_vocabulary
from inference_service.music.chords import parse_chord
from inference_service.music.pitch import pitch_class


def test_the_path_is_the_best_of_all() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        scores = generator.normal(0, 2, (6, 3)).astype(np.float32)
        found = find_path(scores, 1.5)
        assert total(scores, found.tolist(), 1.5) == pytest.approx(
            max(total(scores, path, 1.5) for path in itertools.product(range(3), repeat=6)),
            abs=1e-4,
        )


def total(scores: Likelihoods, path: tuple[int, ...] | list[int], cost: float) -> float:
    changes = sum(a != b for a, b in itertools.pairwise(path))
    return float(sum(scores[t, chord] for t, chord in enumerate(path))) - cost * changes


def test_a_chord_shorter_than_its_cost_is_passed_over() -> None:
    scores = np.tile(np.array([0.0, -CHANGE_COST], np.float32), (100, 1))
    scores[40:50, 1] = 1.9 * CHANGE_COST / 10
    assert set(find_path(scores).tolist()) == {0}
    scores[40:50, 1] = 2.1 * CHANGE_COST / 10
    assert find_path(scores).tolist() == [0] * 40 + [1] * 10 + [0] * 50


def test_a_single_frame() -> None:
    assert find_path(np.array([[0, 3, 1]], np.float32)).tolist() == [1]


def test_every_chord_wins_where_its_classes_are_certain() -> None:
    vocabulary = build_vocabulary()
    ends = np.cumsum(CLASSES)
    certain = np.full((len(vocabulary.labels), 100), 1e-4, np.float32)
    for frame, columns in zip(certain, vocabulary.columns, strict=True):
        for output, column in enumerate(columns):
            assert column < ends[output]
            frame[column if column >= 0 else ends[output] - 1] = 1.0
    best = vocabulary.score(certain).argmax(axis=1)
    assert best.tolist() == list(range(len(vocabulary.labels)))


def test_labels_have_written_names_and_the_right_bass() -> None:
    vocabulary = build_vocabulary()
    assert vocabulary.labels[0] == "N"
    assert len(set(vocabulary.labels)) == len(vocabulary.labels)
    for label, columns in zip(vocabulary.labels[1:], vocabulary.columns[1:], strict=True):
        chord = parse_chord(label)
        assert chord is not None
        root = pitch_class(chord.root)
        assert (columns[0] - 1) % 12 == root
        assert (columns[1] - 74) % 12 == (root + 7 * (chord.bass_fifths or 0)) % 12
