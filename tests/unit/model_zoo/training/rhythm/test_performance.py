"""The model of expressive performance."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from model_zoo.training.rhythm.performance import NO_HAND, Performance, _Style, perform, select
from model_zoo.training.sources.scores import WrittenPiece, parse_score
from tests.unit.model_zoo.training.rhythm.pieces import attributes, grace, note, parse, study

STUDY = parse_score("study", study())
TRILL = "<notations><ornaments><trill-mark/></ornaments></notations>"


def play(piece: WrittenPiece = STUDY, seed: int = 0, *, solo: bool = False) -> Performance:
    return perform(piece, np.random.default_rng(seed), solo=solo)


def mechanical_seeds(count: int) -> list[int]:
    """Seeds that draw an exact performance without wrong notes."""
    found = []
    for seed in range(1000):
        style = _Style.draw(np.random.default_rng(seed), solo=False)
        if style.freedom == 0.0 and style.wrong == 0.0:
            found.append(seed)
    return found[:count]


def test_a_seed_is_a_performance() -> None:
    first, second = play(seed=3), play(seed=3)
    for field in fields(Performance):
        if field.name not in ("piece", "swung"):
            np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))
    assert not np.array_equal(first.onset_s[:50], play(seed=4).onset_s[:50])


@pytest.mark.parametrize("solo", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_any_performance_can_be_played(seed: int, solo: bool) -> None:
    played = play(seed=seed, solo=solo)
    assert played.onset_s[0] == 0.0
    assert (np.diff(played.onset_s) >= 0).all()
    assert (played.offset_s - played.onset_s >= 0.0199).all()
    assert ((played.velocity >= 1) & (played.velocity <= 127)).all()
    assert 0.8 < len(played.pitch) / len(STUDY.pitch) < 1.2


@pytest.mark.parametrize("seed", mechanical_seeds(4))
def test_a_machine_keeps_the_grid(seed: int) -> None:
    played = play(seed=seed)
    expected_s = (
        (played.onset_q - played.onset_q[0]) * np.ptp(played.onset_s) / np.ptp(played.onset_q)
    )
    rolled = np.abs(played.onset_s - expected_s) > 1e-6
    assert rolled.mean() < 0.1  # a chord may be broken all the same
    assert (played.velocity > 0).all()


@pytest.mark.parametrize("seed", range(10))
def test_what_is_written_is_remembered(seed: int) -> None:
    played = play(seed=seed)
    main = ~played.extra
    written = set(
        zip(STUDY.onset_q.tolist(), STUDY.pitch.tolist(), STUDY.duration_q.tolist(), strict=True)
    )
    extracted = zip(
        played.onset_q[main].tolist(),
        played.pitch[main].tolist(),
        played.duration_q[main].tolist(),
        strict=True,
    )
    assert set(extracted) <= written
    assert set(played.hand.tolist()) == {0, 1}


@pytest.mark.parametrize("seed", range(10))
def test_bars_of_the_melody_keep_their_order(seed: int) -> None:
    played = play(seed=seed)
    main = ~played.extra & (played.onset_q % 4 == 0)
    firsts = [played.onset_s[main & (played.onset_q == q)].mean() for q in range(0, 128, 4)]
    assert (np.diff(firsts) > 0).all()


def test_a_line_for_one_staff_has_no_hands() -> None:
    piece = parse([attributes() + note("C4", 2) + note("D4", 2) + note("E4", 4)])
    assert set(play(piece, solo=True).hand.tolist()) == {NO_HAND}


def test_graces_are_extra_and_come_before_their_note() -> None:
    piece = parse([attributes() + note("C5", 4) + grace("D5") + note("E5", 4)])
    for seed in range(10):
        played = play(piece, seed)
        if len(played.pitch) != 3:
            continue  # one is missing, or wrong
        by_pitch = {p: i for i, p in enumerate(played.pitch.tolist())}
        assert played.extra[by_pitch[74]]
        assert not played.extra[by_pitch[76]]
        assert played.onset_s[by_pitch[74]] < played.onset_s[by_pitch[76]]


def test_a_trill_adds_notes_that_are_extra() -> None:
    piece = parse_score("trills", study(16, marks=dict.fromkeys(range(16), TRILL)))
    plain, trilled = play(parse_score("plain", study(16))), play(piece)
    assert trilled.extra.sum() > plain.extra.sum() + 16
    near = np.isin(trilled.onset_q[trilled.extra] % 4, [0.0])
    assert near.mean() > 0.9


def test_singers_may_swing_and_say_so() -> None:
    swung = [seed for seed in range(80) if play(seed=seed, solo=True).swung]
    assert 1 <= len(swung) <= 40
    assert not any(play(seed=seed).swung for seed in range(10))


def test_a_selection_of_notes() -> None:
    lower = select(STUDY, STUDY.staff == 2)
    assert set(lower.pitch.tolist()) == {48, 43}
    assert len(lower.marks) == len(lower.grace) == len(lower.onset_q)
