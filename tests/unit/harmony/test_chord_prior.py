"""The tables of a prior of chords: what they score, written and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference_service.errors import ModelRejected
from inference_service.harmony.chord_prior import (
    QUALITIES,
    SYMBOLS,
    ChordPrior,
    SoundingChord,
    load_chord_prior,
    read_chords,
)
from inference_service.music.events import ChordSegment

STYLES = 2


def build_prior(seed: int = 0) -> ChordPrior:
    random = np.random.default_rng(seed)
    shape = (STYLES, 2, SYMBOLS)
    return ChordPrior(*(random.random(s, np.float32) for s in (shape, (*shape, SYMBOLS), shape)))


def test_a_sequence_is_scored_in_every_key() -> None:
    prior = build_prior()
    chords = [SoundingChord(2, 1, 3.0), SoundingChord(7, 2, 1.0), SoundingChord(0, 0, 2.0)]
    changes, shares = prior.score_keys(chords, 8.0)
    assert changes.shape == shares.shape == (STYLES, 2, 12)
    tonic, mode = 5, 1
    symbols = [(c.root - tonic) % 12 * len(QUALITIES) + c.quality for c in chords]
    first, second, third = symbols
    tables = prior.following[1, mode]
    expected = prior.first[1, mode, first] + tables[first, second] + tables[second, third]
    assert changes[1, mode, tonic] == pytest.approx(expected / np.sqrt(3))
    lasting = sum(
        prior.lasting[1, mode, symbol] * chord.duration_s / 8.0
        for symbol, chord in zip(symbols, chords, strict=True)
    )
    assert shares[1, mode, tonic] == pytest.approx(lasting)


def test_transposed_chords_have_the_scores_of_transposed_keys() -> None:
    prior = build_prior()
    chords = [SoundingChord(0, 0, 2.0), SoundingChord(9, 1, 2.0)]
    raised = [chord._replace(root=(chord.root + 3) % 12) for chord in chords]
    before, after = (prior.score_keys(sequence, 4.0) for sequence in (chords, raised))
    assert np.allclose(np.roll(before.changes, 3, axis=-1), after.changes)
    assert np.allclose(np.roll(before.shares, 3, axis=-1), after.shares)


def test_chords_are_read_without_their_details() -> None:
    labels = ("C:maj7", "C/3", "N", "C", "D:min7/b3", "G:sus4(b7)", "G:9", "X", "B:strange")
    segments = [ChordSegment(2.0 * k, 2.0 * k + 2.0, label) for k, label in enumerate(labels)]
    names = [(c.root, QUALITIES[c.quality], c.duration_s) for c in read_chords(segments)]
    assert names == [
        (0, "major", 6.0),
        (2, "minor", 2.0),
        (7, "suspended", 2.0),
        (7, "dominant", 2.0),
    ]
    assert read_chords([ChordSegment(1.0, 1.0, "C")]) == []


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    prior = build_prior()
    prior.save(tmp_path / "prior.safetensors", {"pieces": "3"})
    loaded = load_chord_prior(tmp_path / "prior.safetensors")
    assert np.array_equal(loaded.following, prior.following)
    assert np.array_equal(loaded.lasting, prior.lasting)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_chord_prior(tmp_path / "absent.safetensors")
    (tmp_path / "text.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelRejected):
        load_chord_prior(tmp_path / "text.safetensors")
    for tables in ({}, {"first": np.zeros((1, 2, SYMBOLS), np.float32)}):
        save_file(tables, tmp_path / "other.safetensors")
        with pytest.raises(ModelRejected, match="prior of chords"):
            load_chord_prior(tmp_path / "other.safetensors")
