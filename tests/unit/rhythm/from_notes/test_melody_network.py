"""Features of melodies on a grid of sixteenths, and potentials of the network that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference_service.checkpoint import load_network, save_network
from inference_service.rhythm.from_notes.melody_network import (
    BAR_TICKS,
    FEATURES,
    FIRST_PLACE,
    LAGS,
    PLACES,
    MelodyBarNetwork,
    MelodyBarNetworkConfig,
    describe_melody,
)
from inference_service.rhythm.from_notes.score_network import METRES

WEIGHTS = Path(__file__).parents[4] / "model_zoo" / "weights" / "melody_bars.safetensors"

STRUCK, PASSING, TO_NEXT, DURATION, FROM_LAST, HEIGHT, MOVE, NEXT_MOVE, ONE = range(9)
DEGREES = slice(9, 21)
RHYTHM_AGAIN = {lag: 21 + 2 * index for index, lag in enumerate(LAGS)}
DEGREE_AGAIN = {lag: row + 1 for lag, row in RHYTHM_AGAIN.items()}


def describe(
    positions: Sequence[float], pitch: Sequence[int], count: int, tonic: int = 0
) -> NDArray[np.float32]:
    durations = np.full(len(positions), 2.0)
    return describe_melody(
        np.array(positions, np.float64), durations, np.array(pitch), tonic, count
    )


def test_places_are_those_of_bars_in_each_metre() -> None:
    assert dict(zip(METRES, BAR_TICKS, strict=True)) == {
        (2, 4): 8,
        (3, 4): 12,
        (4, 4): 16,
        (6, 8): 12,
        (3, 8): 6,
        (9, 8): 18,
        (12, 8): 24,
    }
    assert [*np.diff([*FIRST_PLACE, PLACES])] == list(BAR_TICKS)


def test_what_begins_at_a_tick() -> None:
    ticks = describe([0, 4, 6], [60, 64, 62], 8, tonic=2)
    assert ticks.shape == (FEATURES, 8)
    assert ticks.dtype == np.float32
    assert ticks[STRUCK].tolist() == [1, 0, 0, 0, 1, 0, 1, 0]
    assert ticks[PASSING].tolist() == [0] * 8
    assert ticks[ONE].tolist() == [1] * 8
    assert ticks[TO_NEXT, 0] == ticks[FROM_LAST, 4] > ticks[TO_NEXT, 4] == ticks[FROM_LAST, 6]
    assert ticks[TO_NEXT, 6] == ticks[DURATION, 6], "the last note lasts to the end"
    np.testing.assert_allclose(ticks[HEIGHT, [0, 4, 6]], [-1 / 3, 1 / 3, 0], atol=1e-6)
    np.testing.assert_allclose(ticks[MOVE, [0, 4, 6]], [0, 2 / 3, -1 / 3], atol=1e-6)
    np.testing.assert_allclose(ticks[NEXT_MOVE, [0, 4, 6]], [2 / 3, -1 / 3, 0], atol=1e-6)
    assert [np.flatnonzero(ticks[DEGREES, t]).tolist() for t in (0, 4, 6)] == [[10], [2], [0]]
    assert not ticks[DEGREES][:, [1, 2, 3, 5, 7]].any()


def test_notes_off_the_grid_pass_in_the_tick_before() -> None:
    ticks = describe([0, 4 / 3, 8 / 3, 3.99], [60, 62, 64, 65], 6)
    assert np.flatnonzero(ticks[STRUCK]).tolist() == [0, 4]
    assert np.flatnonzero(ticks[PASSING]).tolist() == [1, 2]


def test_rhythm_and_degrees_that_come_again() -> None:
    pitch = [60, 62, 64, 72, 50, 64]  # two notes are an octave away from those before
    ticks = describe([0, 4, 6, 8, 12, 15], pitch, 16)
    again = ticks[RHYTHM_AGAIN[8]]
    assert again[8:].tolist() == [1, 0, 0, 0, 1, 0, -0.5, -0.5]
    assert again[:8].tolist() == [0] * 8, "nothing was before"
    assert np.flatnonzero(ticks[DEGREE_AGAIN[8]]).tolist() == [8, 12]
    other = describe([0, 4, 6, 8, 12, 15], [60, 62, 64, 73, 62, 64], 16)
    assert np.flatnonzero(other[DEGREE_AGAIN[8]]).tolist() == [12]
    assert not ticks[RHYTHM_AGAIN[16] :].any(), "longer lags are longer than the melody"


def test_features_follow_degrees_not_pitches() -> None:
    positions, pitch = [0, 4, 6, 8, 12, 15], np.array([60, 62, 64, 67, 62, 64])
    here = describe(positions, pitch.tolist(), 20)
    for shift in (-12, 1, 7):
        there = describe(positions, (pitch + shift).tolist(), 20, tonic=shift % 12)
        np.testing.assert_allclose(there, here, atol=1e-6)


@pytest.mark.parametrize("positions", [[0.0], [0.0, 0.0], [0.0, 900.0]])
def test_whatever_is_sung_has_numbers(positions: list[float]) -> None:
    pitch = [0, 127][: len(positions)]
    assert np.isfinite(describe(positions, pitch, int(positions[-1]) + 1)).all()


@pytest.fixture(name="network", scope="module")
def build_network() -> MelodyBarNetwork:
    torch.manual_seed(0)
    return MelodyBarNetwork(MelodyBarNetworkConfig(width=8, dilations=(1, 2))).eval()


@pytest.mark.parametrize("count", [1, 2, 513])
def test_every_tick_has_potentials(network: MelodyBarNetwork, count: int) -> None:
    assert network(torch.rand(2, FEATURES, count)).shape == (2, PLACES, count)


def test_melodies_of_a_batch_do_not_know_each_other(network: MelodyBarNetwork) -> None:
    ticks = torch.rand(2, FEATURES, 64)
    torch.testing.assert_close(network(ticks)[1:], network(ticks[1:]))


def test_a_file_gives_the_network_back(network: MelodyBarNetwork, tmp_path: Path) -> None:
    network.opening.copy_(torch.linspace(-3, 0, PLACES))
    save_network(network, tmp_path / "melody_bars.safetensors")
    loaded = load_network(tmp_path / "melody_bars.safetensors", MelodyBarNetwork)
    ticks = torch.rand(1, FEATURES, 32)
    torch.testing.assert_close(loaded(ticks), network(ticks))
    torch.testing.assert_close(loaded.opening, network.opening)


def test_the_network_is_as_small_as_its_card_says() -> None:
    assert sum(p.numel() for p in MelodyBarNetwork().parameters()) == 242_280


def test_the_served_weights_know_how_melodies_begin() -> None:
    opening = load_network(WEIGHTS, MelodyBarNetwork).opening.double().exp().numpy()
    np.testing.assert_allclose(np.add.reduceat(opening, FIRST_PLACE), 1.0, atol=0.01)
    for metre in ((3, 4), (4, 4)):
        first, length = (values[METRES.index(metre)] for values in (FIRST_PLACE, BAR_TICKS))
        likeliest = np.argsort(opening[first : first + length])[-2:].tolist()
        assert sorted(likeliest) == [0, 4], "on the downbeat, or a quarter before it"
