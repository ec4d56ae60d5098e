"""Compositions, and who plays what."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.training.rhythm.corpora import choose_notes, draw_examples, name_composition
from tests.unit.model_zoo.training.rhythm.pieces import attributes, note, parse


@pytest.mark.parametrize(
    ("file", "other"),
    [
        ("kern/004-1-HAc-001.krn", "kern/004-1a-COC-003.krn"),
        ("kern/pl-a--1_stefani-jan--mazur.krn", "kern/pl-b--7-002_stefani-jan--mazur.krn"),
        ("CzernyC__O299__one.mid", "CzernyC__O299__two.mid"),
    ],
)
def test_editions_and_movements_are_one_composition(file: str, other: str) -> None:
    assert name_composition(file) == name_composition(other)


def test_songs_are_compositions_of_their_own() -> None:
    assert name_composition("a/song.mxl") != name_composition("b/song.mxl")


def test_a_single_staff_is_played_alone_and_a_keyboard_is_not() -> None:
    line = [attributes() + note("C4", 1) * 8] * 4
    keyboard = [attributes(staves=2) + note("C4", 1) * 8] * 4
    rng = np.random.default_rng(0)
    assert choose_notes(parse(line), rng)[1]
    assert not choose_notes(parse(keyboard), rng)[1]


def test_archives_without_pieces_are_not_drawn_from() -> None:
    piece = parse([attributes() + note("C4", 1) * 8] * 4)
    drawn = draw_examples(
        {"openewld": [piece], "mutopia": []},
        np.random.default_rng(0),
        5,
        lambda piece, rng: piece.name if rng.random() < 0.5 else None,
    )
    assert drawn == ["test"] * 5
