"""Positions and tempi found by the search, given the outputs of a good network."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.locate import STEPS, classify_steps, locate
from inference_service.rhythm.from_notes.score_network import INTERVALS, PLACES, QUARTER_PARTS
from tests.unit.rhythm.from_notes.readings import Written, build_blank, even, read_ideally


def find(music: Written, onset_s: NDArray[np.float64], *, tells_interval: bool = True) -> list[int]:
    said = read_ideally(music, onset_s)
    interval = said.interval if tells_interval else even(len(onset_s), len(INTERVALS))
    return [int(p) for p in locate(onset_s, said.place, interval, said.tempo)]


def play(starts_q: NDArray[np.float64], quarter_s: float = 0.5) -> NDArray[np.float64]:
    return 1.0 + quarter_s * starts_q


MELODIES: dict[str, list[float]] = {
    "quarters": [0, 1, 2, 3, 4, 5, 6, 7],
    "sixteenths": [k / 4 for k in range(24)],
    "triplets among eighths": [0, 1 / 2, 1, 4 / 3, 5 / 3, 2, 5 / 2, 3, 10 / 3, 11 / 3, 4],
    "dotted": [0, 3 / 4, 1, 7 / 4, 2, 11 / 4, 3, 4],
    "syncopes": [0, 1 / 2, 3 / 2, 5 / 2, 7 / 2, 4, 9 / 2, 11 / 2, 6],
    "off the beat": [1 / 2, 3 / 2, 5 / 2, 7 / 2, 9 / 2],
    "long notes": [0, 4, 8, 11, 12, 18, 19, 20],
}


@pytest.mark.parametrize("tells_interval", [True, False])
@pytest.mark.parametrize("name", list(MELODIES))
@pytest.mark.parametrize("quarter_s", [0.3, 0.5, 1.2])
def test_a_steady_melody_is_where_it_was_written(
    name: str, quarter_s: float, tells_interval: bool
) -> None:
    starts_q = np.array(MELODIES[name], float)
    music = Written(starts_q.tolist(), 4.0, (4, 4))
    found = find(music, play(starts_q, quarter_s), tells_interval=tells_interval)
    assert found == music.parts.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_unsteady_fingers_do_not_matter(seed: int) -> None:
    starts_q = np.array(MELODIES["sixteenths"] + [6.0, 6.5, 7.0, 7.5, 8.0])
    noise_s = np.random.default_rng(seed).normal(0.0, 0.012, len(starts_q))
    music = Written(starts_q.tolist(), 4.0, (4, 4))
    assert find(music, play(starts_q, 0.6) + noise_s) == music.parts.tolist()


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_the_tempo_may_double_within_sixteen_quarters(ratio: float) -> None:
    starts_q = np.arange(0.0, 17.0, 0.5)
    quarter_s = 0.6 * ratio ** (starts_q[:-1] / 16)
    onset_s = np.concatenate([[0.0], np.cumsum(quarter_s / 2)])
    music = Written(starts_q.tolist(), 4.0, (4, 4))
    assert find(music, onset_s) == music.parts.tolist()


def test_time_alone_tells_intervals_in_one_tempo() -> None:
    starts_q = np.array([0, 1, 2, 3, 3.5, 4, 5, 6, 6.5, 7, 8], float)
    onset_s = play(starts_q)
    tempo = read_ideally(Written(starts_q.tolist(), 4.0, (4, 4)), onset_s).tempo
    count = len(starts_q)
    found = locate(onset_s, even(count, len(PLACES)), even(count, len(INTERVALS)), tempo)
    assert np.diff(found).tolist() == (np.diff(starts_q) * QUARTER_PARTS).tolist()


def test_nothing_is_nowhere() -> None:
    said = build_blank([])
    assert not len(locate(np.zeros(0), said.place, said.interval, said.tempo))


def test_one_attack_has_the_place_that_is_likeliest() -> None:
    said = read_ideally(Written([0.5], 4.0, (4, 4)), np.array([3.0]))
    assert locate(np.array([3.0]), said.place, said.interval, said.tempo).tolist() == [12]


@pytest.mark.parametrize("silence_s", [12.0, 60.0, 600.0])
def test_a_long_silence_is_whole_quarters(silence_s: float) -> None:
    starts_q = np.concatenate([np.arange(8.0), 8.0 + 2 * silence_s + np.arange(8.0)])
    found = np.array(find(Written(starts_q.tolist(), 4.0, (4, 4)), play(starts_q)))
    assert np.diff(found[:8]).tolist() == np.diff(found[8:]).tolist() == [QUARTER_PARTS] * 7
    silence_q = (found[8] - found[7]) / QUARTER_PARTS
    assert silence_q == round(silence_q)
    assert silence_q == pytest.approx(2 * silence_s, rel=0.15)


def test_positions_never_go_back() -> None:
    generator = np.random.default_rng(3)
    onset_s = np.sort(generator.uniform(0.0, 30.0, 200))
    noise = [generator.normal(0.0, 2.0, (200, n)) for n in (len(PLACES), len(INTERVALS), 40)]
    found = locate(onset_s, *noise)
    assert (np.diff(found) >= 0).all()
    assert 0 <= found[0] < QUARTER_PARTS
    assert set((found % QUARTER_PARTS).tolist()) <= set(PLACES)


def test_simultaneous_attacks_are_possible() -> None:
    found = locate(np.zeros(4), even(4, len(PLACES)), even(4, len(INTERVALS)), even(4, 40))
    assert len(set(found.tolist())) == 1


def test_5000_attacks_are_located() -> None:
    starts_q = np.arange(5000) / 4
    onset_s = play(starts_q, 0.5)
    music = Written(starts_q.tolist(), 4.0, (4, 4))
    said = read_ideally(music, onset_s)
    found = locate(onset_s, said.place, said.interval, said.tempo)
    assert found.tolist() == music.parts.tolist()


def test_every_interval_can_be_stepped_for_nothing() -> None:
    classes, prices = classify_steps(STEPS)
    free = {int(c) for c, price in zip(classes, prices, strict=True) if price == 0.0}
    assert free == set(range(len(INTERVALS)))
    assert (prices >= 0).all()
