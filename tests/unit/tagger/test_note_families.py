"""Families of notes: by their neighbours, and among those that play."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.music.families import FAMILIES
from inference_service.tagger.note_families import ask_neighbours, settle_families, tell_families

PIANO, BASS, STRINGS, MALLETS = (
    FAMILIES.index(name) for name in ("piano", "bass", "strings", "mallets")
)


def hear(*families: int, sure: float = 0.8) -> np.ndarray:
    likeness = np.full((len(families), len(FAMILIES)), 0.05, np.float32)
    likeness[np.arange(len(families)), families] = sure
    return likeness


def test_a_note_is_of_its_line() -> None:
    line = [STRINGS] * 20
    line[7], line[13] = PIANO, MALLETS
    told = tell_families(hear(*line, sure=0.5), np.arange(20) * 0.5, np.full(20, 72.0), 0.0)
    assert told.tolist() == [STRINGS] * 20


def test_lines_far_from_each_other_keep_their_families() -> None:
    onsets_s = np.repeat(np.arange(20) * 0.5, 2)
    pitches = np.tile([36.0, 72.0], 20)
    told = tell_families(hear(*[BASS, STRINGS] * 20), onsets_s, pitches, 0.0)
    assert told.tolist() == [BASS, STRINGS] * 20


def test_a_note_that_is_sure_of_itself_is_not_outvoted_by_strangers() -> None:
    likeness = hear(*[PIANO] * 10, BASS, sure=0.99)
    told = tell_families(likeness, np.arange(11) * 0.5, np.array([72.0] * 10 + [33.0]), 0.0)
    assert told.tolist() == [PIANO] * 10 + [BASS]


@pytest.mark.parametrize("share", [0.2, 0.3, 0.5])
def test_two_that_play_in_one_register_are_both_heard(share: float) -> None:
    other = np.random.default_rng(0).random(200) < share
    likeness = hear(*np.where(other, STRINGS, PIANO).tolist(), sure=0.99)
    told = tell_families(likeness, np.arange(200) * 0.25, np.full(200, 67.0), 0.05)
    assert np.mean(told[other] == STRINGS) > 0.9
    assert np.mean(told[~other] == PIANO) > 0.9


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_notes_are_told_too(count: int) -> None:
    likeness = hear(*[MALLETS] * count)
    told = tell_families(likeness, np.arange(count) * 1.0, np.full(count, 60.0), 0.05)
    assert told.tolist() == [MALLETS] * count
    blended = ask_neighbours(likeness, np.arange(count) * 1.0, np.full(count, 60.0))
    assert blended.sum(axis=1) == pytest.approx(np.ones(count))


def test_a_family_of_few_notes_is_another_one_misheard() -> None:
    likeness = np.full((40, len(FAMILIES)), 0.1, np.float32)
    likeness[:30, PIANO] = 0.9
    likeness[30:39, STRINGS] = 0.9
    likeness[39, MALLETS], likeness[39, STRINGS] = 0.9, 0.5
    settled = settle_families(likeness, 0.05)
    assert settled[39] == STRINGS
    assert settled[:30].tolist() == [PIANO] * 30
    assert settle_families(likeness, 0.0)[39] == MALLETS


def test_one_note_keeps_its_family() -> None:
    likeness = np.eye(len(FAMILIES), dtype=np.float32)[[3]]
    assert settle_families(likeness, 0.05).tolist() == [3]
