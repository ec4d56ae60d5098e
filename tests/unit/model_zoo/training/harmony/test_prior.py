"""The prior of chords is learnt in keys, and the weights make right keys likely."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.harmony.chord_prior import QUALITIES, read_chords
from inference_service.music.events import ChordSegment, Mode
from model_zoo.training.harmony.pieces import STYLES, HarmonisedPiece, read_analysis
from model_zoo.training.harmony.prior import learn_prior
from model_zoo.training.harmony.weights import FOLDS, fit, gather, measure_folds

NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
MAJOR = ((0, "maj"), (5, "maj"), (7, "7"), (0, "maj"))
MINOR = ((0, "min"), (5, "min"), (7, "7"), (0, "min"))


def build_piece(
    tonic: int, mode: Mode = "major", style: int = 0, repeats: int = 8
) -> HarmonisedPiece:
    """Return a cadence in a key, over and over, two seconds a chord, with its roots as notes."""
    steps = (MAJOR if mode == "major" else MINOR) * repeats
    roots = [(tonic + step) % 12 for step, _ in steps]
    chords = tuple(
        ChordSegment(2.0 * k, 2.0 * k + 2.0, f"{NAMES[root]}:{quality}")
        for k, (root, (_, quality)) in enumerate(zip(roots, steps, strict=True))
    )
    notes = np.array([(2.0 * k, 2.0 * k + 2.0, 48.0 + root) for k, root in enumerate(roots)])
    return HarmonisedPiece(style, tonic, mode, chords, notes)


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_tables_are_probabilities_in_the_key(mode: Mode) -> None:
    prior = learn_prior([build_piece(tonic, mode) for tonic in (0, 5, 11)])
    for table in (prior.first, prior.following, prior.lasting):
        assert np.allclose(np.exp(table).sum(-1), 1.0, atol=1e-4)
    row = prior.following[0, ("major", "minor").index(mode)]
    dominant = 7 * len(QUALITIES) + QUALITIES.index("dominant")
    tonic = QUALITIES.index(mode)
    assert row[dominant].argmax() == tonic


def test_styles_are_learnt_apart() -> None:
    prior = learn_prior([build_piece(3, "minor", style=1)])
    assert prior.lasting[1, 1].argmax() == QUALITIES.index("minor")
    assert np.ptp(prior.lasting[2]) == 0.0


def test_weights_find_the_keys_of_pieces_left_out() -> None:
    pieces = [
        build_piece(tonic, mode, style)
        for tonic in range(12)
        for mode in ("major", "minor")
        for style in (0, 1)
    ]
    folds = gather(pieces)
    assert len(folds) == FOLDS
    assert sum(map(len, folds)) == len(pieces)
    assert (fit([example for fold in folds for example in fold]) >= 0.0).all()
    report = measure_folds(folds)
    assert f"{STYLES[0]}: MIREX 1.000; 24 excerpts, 1.000 right" in report
    assert STYLES[2] not in report


def test_an_analysis_has_the_key_in_which_it_ends() -> None:
    text = "Time Signature: 4/4\nm1 a: i b3 iv\nm2 V7\nm3 C: V7 b3 I\nm4 a: V7 b3 i"
    piece = read_analysis(text)
    assert piece is not None
    assert (piece.tonic, piece.mode, STYLES[piece.style]) == (9, "minor", "lieder")
    first, second, *_ = read_chords(piece.chords)
    assert (first.root, second.root, first.duration_s) == (9, 2, 1.0)
    assert read_analysis(text + "\nm5 C: V") is None
    assert read_analysis("") is None
