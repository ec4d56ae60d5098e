"""Input features of the bar network, and its predictions on simple music."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference_service.checkpoint import save_network
from inference_service.rhythm.from_notes.bar_network import (
    TICK,
    TICK_FEATURES,
    BarNetwork,
    BarNetworkConfig,
    BarReader,
    describe_ticks,
)
from inference_service.rhythm.from_notes.score_network import METRES

WEIGHTS = Path(__file__).parents[4] / "model_zoo" / "weights" / "bars.safetensors"

STRUCK, PASSING, SIZE, LOWEST, HIGHEST, LENGTH, LOUDNESS, LOW_NEAR, LOW_FAR = range(9)
NOVELTY = slice(9, 12)
FIFTHS = slice(12, 24)


class Note(NamedTuple):
    """A note that begins at an eighth or between two, with its length in quarters."""

    tick: float
    pitch: int
    length_q: float = 0.5
    velocity: int = 64


def describe(notes: Sequence[Note], count: int) -> NDArray[np.float32]:
    return describe_ticks(
        np.array([round(n.tick * TICK) for n in notes], np.int64),
        np.array([n.length_q for n in notes], np.float64),
        np.array([n.pitch for n in notes], np.int64),
        np.array([n.velocity for n in notes], np.int64),
        count,
    )


CHORDS = ((0, 4, 7), (0, 4, 7), (5, 9, 12), (7, 11, 14))
"""Roots of the chords in semitones above the tonic, one for each bar."""


def accompany(bars: int, beats: int, tonic: int = 60) -> list[Note]:
    """A bass note on each downbeat and a chord on every other quarter."""
    notes = []
    for bar in range(bars):
        chord = [tonic + step for step in CHORDS[bar % len(CHORDS)]]
        first = 2 * beats * bar
        notes.append(Note(first, chord[0] - 24, beats))
        notes += [Note(first + 2 * beat, p, 0.9) for beat in range(1, beats) for p in chord]
    return notes


def test_what_is_struck_at_an_eighth() -> None:
    ticks = describe([Note(0, 48), Note(0, 84, 2.0), Note(2, 60)], 4)
    assert ticks.shape == (4, TICK_FEATURES)
    assert ticks.dtype == np.float32
    assert ticks[:, STRUCK].tolist() == [1, 0, 1, 0]
    assert ticks[:, SIZE].tolist() == [0.5, 0, 0.25, 0]
    assert ticks[0, [LOWEST, HIGHEST]].tolist() == [-0.5, 1.0]  # two octaves are one
    assert ticks[0, LENGTH] > ticks[2, LENGTH] > ticks[1, LENGTH]


def test_notes_between_eighths_pass() -> None:
    ticks = describe([Note(0, 60), Note(1 + 1 / 3, 62), Note(1 + 2 / 3, 64)], 3)
    assert ticks[:, STRUCK].tolist() == [1, 0, 0]
    assert ticks[:, PASSING].tolist() == [0, 0.5, 0]
    assert (ticks[1, FIFTHS] > 0).sum() == 2, "both notes of the eighth count"


def test_loudness_is_relative_to_the_usual() -> None:
    soft = [Note(t, 60, velocity=40 + 16 * (t % 4 == 0)) for t in range(16)]
    loud = [note._replace(velocity=note.velocity + 50) for note in soft]
    accents = describe(soft, 16)[:, LOUDNESS]
    assert accents[0] - accents[1] == pytest.approx(1.0)
    np.testing.assert_array_equal(describe(loud, 16)[:, LOUDNESS], accents)


def test_basses_are_the_lowest_around() -> None:
    notes = [Note(t, {8: 40, 16: 50}.get(t, 60)) for t in range(32)]
    ticks = describe(notes, 32)
    near, far = (set(ticks[:, column].nonzero()[0].tolist()) for column in (LOW_NEAR, LOW_FAR))
    assert {8, 16} <= near
    assert not near & {*range(4, 8), *range(9, 16), *range(17, 21)}
    assert 8 in far
    assert 16 not in far, "a lower one is eight eighths away"


def test_a_change_of_harmony_is_new() -> None:
    chords = [Note(t, p) for t in range(32) for p in ((60, 64, 67) if t < 16 else (61, 66, 70))]
    novelty = describe(chords, 32)[:, NOVELTY]
    assert novelty[1:-1].argmax(0).tolist() == [15, 15, 15]
    np.testing.assert_allclose(novelty[16], 1.0, atol=1e-6)
    np.testing.assert_allclose(novelty[1:9], 0.0, atol=1e-6)


def test_a_fifth_up_is_a_step_around_the_circle() -> None:
    notes = accompany(4, 3)
    here = describe(notes, 24)
    there = describe([note._replace(pitch=note.pitch + 7) for note in notes], 24)
    np.testing.assert_allclose(there[:, FIFTHS], np.roll(here[:, FIFTHS], 1, axis=1), atol=1e-6)
    np.testing.assert_allclose(there[:, NOVELTY], here[:, NOVELTY], atol=1e-6)


def test_the_order_of_notes_tells_nothing() -> None:
    notes = accompany(4, 4)
    np.testing.assert_allclose(describe(notes[::-1], 32), describe(notes, 32), atol=1e-6)


@pytest.mark.parametrize("notes", [[], [Note(0.5, 60)], [Note(0, 0), Note(700, 127, 300.0)]])
def test_whatever_is_played_has_numbers(notes: list[Note]) -> None:
    assert np.isfinite(describe(notes, 701)).all()


@pytest.fixture(name="network", scope="module")
def build_network() -> BarNetwork:
    torch.manual_seed(0)
    return BarNetwork(BarNetworkConfig(width=16, layers=3)).eval()


@pytest.mark.parametrize("count", [1, 2, 513])
def test_every_eighth_has_outputs(network: BarNetwork, count: int) -> None:
    assert network(torch.rand(2, count, TICK_FEATURES)).shape == (2, count, 1 + len(METRES))


def test_pieces_of_a_batch_do_not_know_each_other(network: BarNetwork) -> None:
    ticks = torch.rand(2, 64, TICK_FEATURES)
    torch.testing.assert_close(network(ticks)[1:], network(ticks[1:]))


def test_what_comes_before_and_after_counts() -> None:
    torch.manual_seed(0)
    ticks = torch.rand(1, 600, TICK_FEATURES, requires_grad=True)
    BarNetwork().eval()(ticks)[0, 300, 0].backward()
    assert ticks.grad is not None
    strength = ticks.grad[0].abs().sum(1)
    outside = torch.cat([strength[:30], strength[-30:]]).mean()
    for bars_away in (-4, -1, 1, 4):
        near = 300 + 8 * bars_away
        assert strength[near - 4 : near + 4].mean() > 10 * outside, bars_away


def test_the_network_is_as_small_as_its_card_says() -> None:
    assert sum(p.numel() for p in BarNetwork().parameters()) == pytest.approx(0.2e6, rel=0.05)


def test_a_file_gives_the_network_back(network: BarNetwork, tmp_path: Path) -> None:
    path = tmp_path / "bars.safetensors"
    save_network(network, path)
    ticks = describe(accompany(8, 4), 64)
    odds, metre = BarReader(path).read(ticks)
    logits = network(torch.from_numpy(ticks)[None])[0].detach().double().numpy()
    np.testing.assert_allclose(odds, logits[:, 0])
    assert metre.shape == (64, len(METRES))
    np.testing.assert_allclose(np.exp(metre).sum(1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(metre.argmax(1), logits[:, 1:].argmax(1))


@pytest.fixture(name="reader", scope="module")
def load_reader() -> BarReader:
    return BarReader(WEIGHTS)


@pytest.mark.parametrize("tonic", [56, 60, 65])
@pytest.mark.parametrize(("beats", "metre"), [(3, (3, 4)), (4, (4, 4))])
def test_the_served_weights_hear_plain_bars(
    reader: BarReader, beats: int, metre: tuple[int, int], tonic: int
) -> None:
    count = 16 * 2 * beats
    odds, metres = reader.read(describe(accompany(16, beats, tonic), count))
    lines = np.arange(0, count, 2 * beats)
    assert (odds[lines] > 0).all()
    assert (np.delete(odds, lines) < 0).all()
    assert METRES[int(metres.mean(0).argmax())] == metre
